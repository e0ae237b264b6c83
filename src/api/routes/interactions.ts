import { createRoute, z } from '@hono/zod-openapi';
import type { MiddlewareHandler } from 'hono';
import { requestEnd, setDisposition } from '../../database/interactions.ts';
import { FloorwalkerError } from '../../errors.ts';
import type { Api, ApiEnv } from '../environment.ts';
import { cursorSchema, limitSchema } from '../page.ts';
import type { ApiParts } from '../parts.ts';
import {
  findArchive,
  findInteraction,
  findNewestMetrics,
  findPlace,
  listInteractions,
  listMessages,
  listSteps,
} from '../reads/interactions.ts';
import { listPermissions } from '../reads/permissions.ts';
import {
  channelSchema,
  idSchema,
  interactionDetailSchema,
  interactionSchema,
  interactionStatusSchema,
  messageSchema,
  pageOf,
  phoneNumberSchema,
  stepSchema,
  text,
} from '../schemas.ts';
import { problems } from './answers.ts';
import { guard } from './guard.ts';

const security = [{ signedIn: [] }];
const tags = ['Interactions'];
const params = z.object({ id: idSchema });
const page = { limit: limitSchema, cursor: cursorSchema.optional() };
const json = <T extends z.ZodType>(schema: T) => ({ 'application/json': { schema } });

const statusListSchema = z
  .string()
  .transform((list) => list.split(','))
  .pipe(z.array(interactionStatusSchema).min(1).max(4))
  .openapi({ type: 'string', description: 'One or several, separated by commas.', example: 'queued,active' });
const instant = z.iso.datetime({ offset: true });

const list = createRoute({
  method: 'get',
  path: '/v1/interactions',
  tags,
  summary: 'Interactions this person may see, newest first',
  security,
  request: {
    query: z.object({
      status: statusListSchema.optional(),
      agent_id: idSchema.optional(),
      channel: channelSchema.optional(),
      kind: z.enum(['live', 'rehearsal']).default('live'),
      phone_number: phoneNumberSchema.optional(),
      from: instant.optional().openapi({ description: 'Created at or after.' }),
      to: instant.optional().openapi({ description: 'Created before.' }),
      ...page,
    }),
  },
  responses: {
    200: { description: 'A page', content: json(pageOf(interactionSchema, 'InteractionPage')) },
    ...problems(400, 401, 403, 503),
  },
});

const show = createRoute({
  method: 'get',
  path: '/v1/interactions/{id}',
  tags,
  summary: 'One interaction with its archive, its newest metrics and what waits for a decision',
  security,
  request: { params },
  responses: {
    200: { description: 'The interaction', content: json(interactionDetailSchema) },
    ...problems(400, 401, 403, 404, 503),
  },
});

const messages = createRoute({
  method: 'get',
  path: '/v1/interactions/{id}/messages',
  tags,
  summary: 'The transcript, in the order of the conversation',
  security,
  request: { params, query: z.object(page) },
  responses: {
    200: { description: 'A page', content: json(pageOf(messageSchema, 'MessagePage')) },
    ...problems(400, 401, 403, 404, 503),
  },
});

const steps = createRoute({
  method: 'get',
  path: '/v1/interactions/{id}/steps',
  tags,
  summary: 'The trace: model calls, tool calls, decisions',
  security,
  request: { params, query: z.object(page) },
  responses: {
    200: { description: 'A page', content: json(pageOf(stepSchema, 'StepPage')) },
    ...problems(400, 401, 403, 404, 503),
  },
});

const end = createRoute({
  method: 'post',
  path: '/v1/interactions/{id}/end',
  tags,
  summary: 'Ask the agent to say goodbye and end',
  security,
  request: {
    params,
    body: { content: json(z.strictObject({ reason: text(500).optional() }).openapi('EndInteraction')) },
  },
  responses: {
    202: {
      description: 'Asked; the interaction ends shortly',
      content: json(
        z.object({ interaction_id: idSchema, status: interactionStatusSchema }).openapi('EndRequested'),
      ),
    },
    ...problems(400, 401, 403, 404, 409, 413, 415, 503),
  },
});

const disposition = createRoute({
  method: 'post',
  path: '/v1/interactions/{id}/disposition',
  tags,
  summary: "The supervisor's own verdict and notes",
  security,
  request: {
    params,
    body: {
      required: true,
      content: json(
        z
          .strictObject({ disposition: text(100).min(1), notes: text(5_000).optional() })
          .openapi('SetDisposition'),
      ),
    },
  },
  responses: { 204: { description: 'Kept' }, ...problems(400, 401, 403, 404, 413, 415, 503) },
});

/** Rows of an interaction that can't be seen look like none: say that it is not there instead. */
async function found<T>(interaction: Promise<T | undefined>): Promise<T> {
  const row = await interaction;
  if (row === undefined) throw new FloorwalkerError('interaction_not_found');
  return row;
}

export function addInteractionRoutes(api: Api, parts: ApiParts, person: MiddlewareHandler<ApiEnv>): void {
  for (const route of [list, show, messages, steps, end, disposition]) guard(api, route, person);

  api.openapi(list, async (context) => {
    const { agent_id, phone_number, limit, cursor, ...rest } = context.req.valid('query');
    const filter = { ...rest, agentId: agent_id, phoneNumber: phone_number };
    return context.json(await listInteractions(context.get('person').db, filter, { limit, cursor }), 200);
  });

  api.openapi(show, async (context) => {
    const { id } = context.req.valid('param');
    const { db } = context.get('person');
    const [interaction, archive, metrics, waiting] = await Promise.all([
      found(findInteraction(db, id)),
      findArchive(db, id),
      findNewestMetrics(db, id),
      listPermissions(db, { status: 'pending', interactionId: id }, { limit: 50 }),
    ]);
    return context.json({ ...interaction, archive, metrics, permissions: waiting.data }, 200);
  });

  api.openapi(messages, async (context) => {
    const { id } = context.req.valid('param');
    const { db } = context.get('person');
    const [result] = await Promise.all([
      listMessages(db, id, context.req.valid('query')),
      found(findPlace(db, id)),
    ]);
    return context.json(result, 200);
  });

  api.openapi(steps, async (context) => {
    const { id } = context.req.valid('param');
    const { db } = context.get('person');
    const [result] = await Promise.all([
      listSteps(db, id, context.req.valid('query')),
      found(findPlace(db, id)),
    ]);
    return context.json(result, 200);
  });

  api.openapi(end, async (context) => {
    const { id } = context.req.valid('param');
    const { reason } = context.req.valid('json');
    const { db } = context.get('person');
    const { room, status } = await requestEnd(db, { interactionId: id, reason: reason ?? null });
    parts.doorbell.ring(room, id, context.get('log'));
    return context.json({ interaction_id: id, status }, 202);
  });

  api.openapi(disposition, async (context) => {
    const { id } = context.req.valid('param');
    const { disposition: verdict, notes } = context.req.valid('json');
    await setDisposition(context.get('person').db, {
      interactionId: id,
      disposition: verdict,
      notes: notes ?? null,
    });
    return context.body(null, 204);
  });
}
