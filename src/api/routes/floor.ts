import { createRoute, z } from '@hono/zod-openapi';
import type { MiddlewareHandler } from 'hono';
import { interactionTracks, trackSchema } from '../../database/tracks.ts';
import { FloorwalkerError } from '../../errors.ts';
import type { Api, ApiEnv } from '../environment.ts';
import { findPlace } from '../reads/interactions.ts';
import { listToolCalls } from '../reads/tool-calls.ts';
import { idSchema, toolCallSchema } from '../schemas.ts';
import { problems } from './answers.ts';
import { guard } from './guard.ts';

/** A card is some 300 pixels wide. */
const POINTS_OF_A_CARD = 60;
const POINTS_OF_A_PAGE = 1_000;

const security = [{ signedIn: [] }];
const params = z.object({ id: idSchema });
const json = <T extends z.ZodType>(schema: T) => ({ 'application/json': { schema } });
const track = trackSchema.openapi('Track');

const floor = createRoute({
  method: 'get',
  path: '/v1/floor',
  tags: ['Interactions'],
  summary: 'How each open interaction went so far, and who spoke last',
  security,
  responses: {
    200: {
      description: 'One a interaction',
      content: json(z.object({ data: z.array(track) }).openapi('Floor')),
    },
    ...problems(401, 403, 503),
  },
});

const one = createRoute({
  method: 'get',
  path: '/v1/interactions/{id}/track',
  tags: ['Interactions'],
  summary: 'How an open interaction went so far; of an ended one the archive has it',
  security,
  request: { params },
  responses: {
    200: { description: 'Its measurements', content: json(track) },
    ...problems(400, 401, 403, 404, 503),
  },
});

const calls = createRoute({
  method: 'get',
  path: '/v1/interactions/{id}/tool-calls',
  tags: ['Interactions'],
  summary: 'The tools that the agent called, in the order of asking',
  security,
  request: { params },
  responses: {
    200: {
      description: 'The calls',
      content: json(z.object({ data: z.array(toolCallSchema) }).openapi('ToolCallList')),
    },
    ...problems(400, 401, 403, 404, 503),
  },
});

export function addFloorRoutes(api: Api, person: MiddlewareHandler<ApiEnv>): void {
  for (const route of [floor, one, calls]) guard(api, route, person);

  api.openapi(floor, async (context) => {
    const { db } = context.get('person');
    return context.json(
      { data: await interactionTracks(db, { interactionId: null, points: POINTS_OF_A_CARD }) },
      200,
    );
  });

  api.openapi(one, async (context) => {
    const { id } = context.req.valid('param');
    const { db } = context.get('person');
    const [found] = await interactionTracks(db, { interactionId: id, points: POINTS_OF_A_PAGE });
    if (!found) throw new FloorwalkerError('interaction_not_found');
    return context.json(found, 200);
  });

  api.openapi(calls, async (context) => {
    const { id } = context.req.valid('param');
    const { db } = context.get('person');
    const [data, place] = await Promise.all([listToolCalls(db, id), findPlace(db, id)]);
    if (!place) throw new FloorwalkerError('interaction_not_found');
    return context.json({ data }, 200);
  });
}
