import { randomBytes } from 'node:crypto';
import { createRoute, z } from '@hono/zod-openapi';
import type { MiddlewareHandler } from 'hono';
import { handBack, monitorInteraction, takeOver, whisper } from '../../database/control.ts';
import { monitorIdentity, supervisorIdentity } from '../../domain/identities.ts';
import type { Log } from '../../log.ts';
import type { Api, ApiEnv } from '../environment.ts';
import type { ApiParts } from '../parts.ts';
import { idSchema, text } from '../schemas.ts';
import { problems } from './answers.ts';
import { guard } from './guard.ts';

const security = [{ signedIn: [] }];
const tags = ['Control'];
const params = z.object({ id: idSchema });
const json = <T extends z.ZodType>(schema: T) => ({ 'application/json': { schema } });
const WHISPER_CHARACTERS = 2_000;

const placeSchema = z
  .object({
    url: z.string().openapi({ description: 'Where to connect with a LiveKit client.' }),
    token: z.string(),
    identity: z.string().openapi({ description: 'The name under which others see this person in the room.' }),
  })
  .openapi('RoomPlace');

const takeover = createRoute({
  method: 'post',
  path: '/v1/interactions/{id}/takeover',
  tags,
  summary: 'Take the conversation over: the agent falls silent at once',
  description:
    'One person has control. Whoever has it already gets a new token. The token is for the microphone of a call, or for text on `lk.chat`; at the hand back its holder is removed from the room. The customer sees the name of their profile.',
  security,
  request: {
    params,
    body: {
      content: json(
        z
          .strictObject({
            insist: z
              .boolean()
              .optional()
              .openapi({ description: 'An admin takes it from the person who has it.' }),
          })
          .openapi('TakeOver'),
      ),
    },
  },
  responses: {
    200: { description: 'Taken over; where to join', content: json(placeSchema) },
    ...problems(400, 401, 403, 404, 409, 413, 415, 503),
  },
});

const handback = createRoute({
  method: 'post',
  path: '/v1/interactions/{id}/handback',
  tags,
  summary: 'Hand the conversation back to the agent',
  security,
  request: {
    params,
    body: {
      content: json(
        z
          .strictObject({
            note: text(WHISPER_CHARACTERS)
              .optional()
              .openapi({ description: 'What the agent should know; the customer never sees it.' }),
          })
          .openapi('HandBack'),
      ),
    },
  },
  responses: { 204: { description: 'Handed back' }, ...problems(400, 401, 403, 404, 409, 413, 415, 503) },
});

const whisperRoute = createRoute({
  method: 'post',
  path: '/v1/interactions/{id}/whisper',
  tags,
  summary: 'Tell the agent something that the customer never sees',
  security,
  request: {
    params,
    body: {
      required: true,
      content: json(z.strictObject({ text: text(WHISPER_CHARACTERS).min(1) }).openapi('Whisper')),
    },
  },
  responses: {
    202: {
      description: 'The agent takes it into account with its next words',
      content: json(z.object({ whisper_id: idSchema }).openapi('Whispered')),
    },
    ...problems(400, 401, 403, 404, 409, 413, 415, 503),
  },
});

const monitor = createRoute({
  method: 'post',
  path: '/v1/interactions/{id}/monitor',
  tags,
  summary: 'Listen and read along, hidden',
  security,
  request: { params },
  responses: {
    200: { description: 'Where to join', content: json(placeSchema) },
    ...problems(400, 401, 403, 404, 409, 503),
  },
});

export function addControlRoutes(api: Api, parts: ApiParts, person: MiddlewareHandler<ApiEnv>): void {
  for (const route of [takeover, handback, whisperRoute, monitor]) guard(api, route, person);
  const { rooms, doorbell } = parts;

  /** The row has changed hands already: the agent expels whoever can not be reached from here. */
  const expel = (room: string, userId: string, log: Log): Promise<void> =>
    rooms
      .remove(room, supervisorIdentity(userId))
      .catch((err: unknown) => log.warn({ err }, 'a supervisor without control was not removed'));

  api.openapi(takeover, async (context) => {
    const { id } = context.req.valid('param');
    const { insist } = context.req.valid('json');
    const { db, id: userId, name } = context.get('person');
    const log = context.get('log');
    const taken = await takeOver(db, { interactionId: id, insist: insist ?? false });
    const { livekit_room_id: room, interaction_type: channel } = taken;
    doorbell.hush(room, id, log, taken.generation);
    if (taken.taken_from !== null) await expel(room, taken.taken_from, log);
    const identity = supervisorIdentity(userId);
    const token = await rooms.supervisorToken(room, identity, name, channel);
    return context.json({ url: rooms.url, token, identity }, 200);
  });

  api.openapi(handback, async (context) => {
    const { id } = context.req.valid('param');
    const { note } = context.req.valid('json');
    const { db, id: userId } = context.get('person');
    const log = context.get('log');
    const { livekit_room_id: room, generation } = await handBack(db, {
      interactionId: id,
      note: note ?? null,
    });
    doorbell.ring(room, id, log, generation);
    await expel(room, userId, log);
    return context.body(null, 204);
  });

  api.openapi(whisperRoute, async (context) => {
    const { id } = context.req.valid('param');
    const { text: words } = context.req.valid('json');
    const told = await whisper(context.get('person').db, { interactionId: id, text: words });
    doorbell.ring(told.livekit_room_id, id, context.get('log'), told.generation);
    return context.json({ whisper_id: told.whisper_id }, 202);
  });

  api.openapi(monitor, async (context) => {
    const { id } = context.req.valid('param');
    const { db, id: userId } = context.get('person');
    const { livekit_room_id: room } = await monitorInteraction(db, { interactionId: id });
    const identity = monitorIdentity(userId, randomBytes(4).toString('hex'));
    const token = await rooms.monitorToken(room, identity);
    return context.json({ url: rooms.url, token, identity }, 200);
  });
}
