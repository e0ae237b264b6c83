import type { ServerResponse } from 'node:http';
import { createRoute, z } from '@hono/zod-openapi';
import type { Context, MiddlewareHandler } from 'hono';
import { FloorwalkerError } from '../../errors.ts';
import type { Api, ApiEnv } from '../environment.ts';
import { liveEventSchema } from '../events/schemas.ts';
import type { ApiParts } from '../parts.ts';
import { findPlace } from '../reads/interactions.ts';
import { idSchema } from '../schemas.ts';
import { problems } from './answers.ts';
import { guard } from './guard.ts';

const stream = createRoute({
  method: 'get',
  path: '/v1/events',
  tags: ['Events'],
  summary: 'What happens, as it happens (server-sent events)',
  description: `Exactly what this person may see, looked at anew whenever people or agents change and every 30 seconds.
Open it, then load the state: from \`ready\` on nothing is missed. Every event has an id; coming back with the last
one in \`Last-Event-ID\`, to this process of the API or to another, goes on without a gap or a repeat, for ten
minutes at least. The stream ends with the access token; who is 1 MB or 10 seconds behind is cut off.`,
  security: [{ signedIn: [] }],
  request: {
    query: z.object({
      interaction_id: idSchema.optional().openapi({ description: 'Only what concerns this interaction.' }),
    }),
    headers: z.object({ 'last-event-id': z.string().max(8_192).optional() }),
  },
  responses: {
    200: { description: 'The stream', content: { 'text/event-stream': { schema: liveEventSchema } } },
    ...problems(400, 401, 403, 404, 429, 503),
  },
});

/** The socket's answer, to break it off; there is none when the API is called without a server. */
function abortOf(context: Context<ApiEnv>): () => void {
  const { outgoing } = (context.env ?? {}) as { readonly outgoing?: ServerResponse };
  return () => outgoing?.destroy();
}

export function addEventRoutes(api: Api, parts: ApiParts, person: MiddlewareHandler<ApiEnv>): void {
  guard(api, stream, person);

  api.openapi(stream, async (context) => {
    const { interaction_id: interactionId } = context.req.valid('query');
    const { id: personId, db, tokenExpiresAtMs } = context.get('person');
    if (interactionId !== undefined && (await findPlace(db, interactionId)) === undefined) {
      throw new FloorwalkerError('interaction_not_found');
    }
    const events = await parts.events.open({
      personId,
      tokenExpiresAtMs,
      interactionId,
      lastEventId: context.req.valid('header')['last-event-id'],
      abort: abortOf(context),
    });
    context.header('content-type', 'text/event-stream; charset=utf-8');
    context.header('cache-control', 'no-store, no-transform');
    // nginx would gather events until a buffer is full.
    context.header('x-accel-buffering', 'no');
    return context.body(events, 200);
  });
}
