import { createRoute, z } from '@hono/zod-openapi';
import type { MiddlewareHandler } from 'hono';
import { callResolutionSchema } from '../../database/rows.ts';
import { resolveToolCall } from '../../database/tool-calls.ts';
import type { Api, ApiEnv } from '../environment.ts';
import { cursorSchema, limitSchema } from '../page.ts';
import type { ApiParts } from '../parts.ts';
import { findPlace } from '../reads/interactions.ts';
import { listUnknownCalls, unknownCallSchema } from '../reads/unknown-calls.ts';
import { idSchema, pageOf, text } from '../schemas.ts';
import { problems } from './answers.ts';
import { guard } from './guard.ts';

const security = [{ signedIn: [] }];
const tags = ['Tool calls'];
const json = <T extends z.ZodType>(schema: T) => ({ 'application/json': { schema } });

const list = createRoute({
  method: 'get',
  path: '/v1/tool-calls',
  tags,
  summary: 'Tool calls whose outcome nobody knows and nobody has looked into yet, oldest first',
  security,
  request: {
    query: z.object({
      state: z.literal('unknown').default('unknown'),
      limit: limitSchema,
      cursor: cursorSchema.optional(),
    }),
  },
  responses: {
    200: { description: 'A page', content: json(pageOf(unknownCallSchema, 'UnknownToolCallPage')) },
    ...problems(400, 401, 403, 503),
  },
});

const resolve = createRoute({
  method: 'post',
  path: '/v1/tool-calls/{id}/resolution',
  tags,
  summary: 'Say what became of a call whose outcome is unknown; the first answer counts',
  description:
    'The agent is told at once and tells the customer. `run_again` makes the call once more, through the same gate as any.',
  security,
  request: {
    params: z.object({ id: idSchema }),
    body: {
      required: true,
      content: json(
        z
          .strictObject({ resolution: callResolutionSchema, note: text(2_000).optional() })
          .openapi('ToolCallResolution'),
      ),
    },
  },
  responses: {
    200: { description: 'The call', content: json(unknownCallSchema) },
    ...problems(400, 401, 403, 404, 409, 413, 415, 503),
  },
});

export function addUnknownCallRoutes(api: Api, parts: ApiParts, person: MiddlewareHandler<ApiEnv>): void {
  for (const route of [list, resolve]) guard(api, route, person);

  api.openapi(list, async (context) => {
    const { limit, cursor } = context.req.valid('query');
    return context.json(await listUnknownCalls(context.get('person').db, { limit, cursor }), 200);
  });

  api.openapi(resolve, async (context) => {
    const { id } = context.req.valid('param');
    const { resolution, note } = context.req.valid('json');
    const { db } = context.get('person');
    const call = await resolveToolCall(db, { toolCallId: id, resolution, note: note ?? null });
    const place = await findPlace(db, call.interaction_id);
    const log = context.get('log').child({ interactionId: call.interaction_id, toolCallId: id });
    if (place) parts.doorbell.ring(place.room, call.interaction_id, log);
    log.info({ resolution }, 'unknown outcome resolved');
    return context.json(unknownCallSchema.parse(call), 200);
  });
}
