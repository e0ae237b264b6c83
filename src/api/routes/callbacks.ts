import { createRoute, z } from '@hono/zod-openapi';
import type { MiddlewareHandler } from 'hono';
import { completeCallback } from '../../database/callbacks.ts';
import type { Api, ApiEnv } from '../environment.ts';
import { cursorSchema, limitSchema } from '../page.ts';
import { listCallbacks } from '../reads/callbacks.ts';
import { callbackSchema, idSchema, pageOf, text } from '../schemas.ts';
import { problems } from './answers.ts';
import { guard } from './guard.ts';

const security = [{ signedIn: [] }];
const tags = ['Callbacks'];
const json = <T extends z.ZodType>(schema: T) => ({ 'application/json': { schema } });

const list = createRoute({
  method: 'get',
  path: '/v1/callbacks',
  tags,
  summary: 'Customers who asked to be called back, longest waiting first',
  security,
  request: {
    query: z.object({
      status: z.enum(['open', 'done']).default('open'),
      limit: limitSchema,
      cursor: cursorSchema.optional(),
    }),
  },
  responses: {
    200: { description: 'A page', content: json(pageOf(callbackSchema, 'CallbackPage')) },
    ...problems(400, 401, 403, 503),
  },
});

const done = createRoute({
  method: 'post',
  path: '/v1/callbacks/{id}/done',
  tags,
  summary: 'The customer was called back; the first who says so counts',
  security,
  request: {
    params: z.object({ id: idSchema }),
    body: { content: json(z.strictObject({ note: text(2_000).optional() }).openapi('CallbackDone')) },
  },
  responses: {
    200: { description: 'The request, and who did it', content: json(callbackSchema) },
    ...problems(400, 401, 403, 404, 413, 415, 503),
  },
});

export function addCallbackRoutes(api: Api, person: MiddlewareHandler<ApiEnv>): void {
  for (const route of [list, done]) guard(api, route, person);

  api.openapi(list, async (context) => {
    const { status, limit, cursor } = context.req.valid('query');
    return context.json(await listCallbacks(context.get('person').db, { status }, { limit, cursor }), 200);
  });

  api.openapi(done, async (context) => {
    const { id } = context.req.valid('param');
    const { note } = context.req.valid('json');
    const row = await completeCallback(context.get('person').db, { callbackId: id, note: note ?? null });
    return context.json(callbackSchema.parse(row), 200);
  });
}
