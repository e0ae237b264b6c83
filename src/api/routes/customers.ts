import { timingSafeEqual } from 'node:crypto';
import { createRoute, z } from '@hono/zod-openapi';
import type { MiddlewareHandler } from 'hono';
import {
  completeInteraction,
  createTogether,
  leaveInteraction,
  rateInteraction,
  resumeInteraction,
} from '../../database/interactions.ts';
import { FloorwalkerError } from '../../errors.ts';
import type { Log } from '../../log.ts';
import { publicAgentSchema } from '../admin-schemas.ts';
import { addressHasher } from '../client-address.ts';
import type { Api, ApiEnv } from '../environment.ts';
import type { ApiParts } from '../parts.ts';
import { listPublicAgents } from '../reads/public-agents.ts';
import { hashResumeToken, newResumeToken } from '../resume-token.ts';
import { channelSchema, idSchema, interactionStatusSchema, phoneNumberSchema, text } from '../schemas.ts';
import { problems } from './answers.ts';
import { guard } from './guard.ts';

/** The routes that pages of other origins may call. */
export const CUSTOMER_PATHS = [
  '/v1/interactions',
  '/v1/interactions/:id/rejoin',
  '/v1/interactions/:id/leave',
  '/v1/interactions/:id/rating',
  '/v1/interactions/:id/status',
] as const;

const security = [{ publishableKey: [] }];
const params = z.object({ id: idSchema });
const resumeTokenSchema = z
  .string()
  .regex(/^[A-Za-z0-9_-]{43}$/, 'is not a resume token')
  .openapi({ description: 'Proof that the interaction is this customer’s; keep it as a secret.' });

const joinSchema = z.object({
  interaction_id: idSchema,
  room: z.string(),
  url: z.string().openapi({ description: 'The LiveKit server to connect to.' }),
  token: z.string().openapi({ description: 'Joins that one room, within ten minutes.' }),
});
const positionSchema = z.int().nonnegative().openapi({
  description:
    'Place in the queue of the agent: 1 is next, 0 does not wait any more. While it waits, a data message on the topic `floorwalker.queue` tells each change: `{"position": n}`.',
});
const createdSchema = joinSchema
  .extend({ resume_token: resumeTokenSchema, status: interactionStatusSchema, position: positionSchema })
  .openapi('CreatedInteraction');
const rejoinedSchema = joinSchema
  .extend({ status: interactionStatusSchema, channel: channelSchema, position: positionSchema })
  .openapi('RejoinedInteraction');

const json = <T extends z.ZodType>(schema: T) => ({ 'application/json': { schema } });

const create = createRoute({
  method: 'post',
  path: '/v1/interactions',
  tags: ['Customers'],
  summary: 'Begin a chat or a call with a public agent',
  security,
  request: {
    body: {
      required: true,
      content: json(
        z
          .strictObject({
            agent_id: idSchema,
            channel: channelSchema,
            phone_number: phoneNumberSchema.optional(),
          })
          .openapi('CreateInteraction'),
      ),
    },
  },
  responses: {
    201: { description: 'Waiting for the customer to join the room', content: json(createdSchema) },
    ...problems(400, 401, 403, 404, 409, 413, 415, 429, 503),
  },
});

const rejoin = createRoute({
  method: 'post',
  path: '/v1/interactions/{id}/rejoin',
  tags: ['Customers'],
  summary: 'Come back after a reload or a lost connection',
  security,
  request: {
    params,
    body: {
      required: true,
      content: json(z.strictObject({ resume_token: resumeTokenSchema }).openapi('RejoinInteraction')),
    },
  },
  responses: {
    200: { description: 'A new token for the same place in the room', content: json(rejoinedSchema) },
    ...problems(400, 401, 403, 404, 409, 413, 415, 429, 503),
  },
});

const status = createRoute({
  method: 'post',
  path: '/v1/interactions/{id}/status',
  tags: ['Customers'],
  summary: 'Whether it still waits, and at which place',
  security,
  request: {
    params,
    body: {
      required: true,
      content: json(z.strictObject({ resume_token: resumeTokenSchema }).openapi('AskStatus')),
    },
  },
  responses: {
    200: {
      description: 'Where it stands',
      content: json(
        z
          .object({ interaction_id: idSchema, status: interactionStatusSchema, position: positionSchema })
          .openapi('InteractionStatus'),
      ),
    },
    ...problems(400, 401, 403, 413, 415, 503),
  },
});

const leave = createRoute({
  method: 'post',
  path: '/v1/interactions/{id}/leave',
  tags: ['Customers'],
  summary: 'End it for good: what was said is archived at once',
  description:
    'Once this is answered the end is certain. May be sent again. A customer who only disconnects is waited for, as one whose page reloads.',
  security,
  request: {
    params,
    body: {
      required: true,
      content: json(z.strictObject({ resume_token: resumeTokenSchema }).openapi('LeaveInteraction')),
    },
  },
  responses: {
    202: {
      description: 'It ends now, or has ended',
      content: json(
        z.object({ interaction_id: idSchema, status: interactionStatusSchema }).openapi('LeftInteraction'),
      ),
    },
    ...problems(400, 401, 403, 413, 415, 503),
  },
});

const rate = createRoute({
  method: 'post',
  path: '/v1/interactions/{id}/rating',
  tags: ['Customers'],
  summary: 'Say how it was; counts more than any estimate',
  security,
  request: {
    params,
    body: {
      required: true,
      content: json(
        z
          .strictObject({
            resume_token: resumeTokenSchema,
            score: z.int().min(1).max(5),
            comment: text(2_000).optional(),
          })
          .openapi('RateInteraction'),
      ),
    },
  },
  responses: {
    204: { description: 'Kept' },
    ...problems(400, 401, 403, 404, 409, 413, 415, 503),
  },
});

const publicAgents = createRoute({
  method: 'get',
  path: '/v1/public/agents',
  tags: ['Customers'],
  summary: 'The agents of a business that take conversations from the public',
  security,
  request: {
    query: z.object({
      agent_id: idSchema.optional().openapi({ description: 'This one alone.' }),
      business: z
        .string()
        .regex(/^[a-z0-9][a-z0-9-]{0,62}$/)
        .optional()
        .openapi({ description: 'Its slug; not needed where one business alone has public agents.' }),
    }),
  },
  responses: {
    200: {
      description: 'The agents by name',
      content: json(z.object({ data: z.array(publicAgentSchema) }).openapi('PublicAgentList')),
    },
    ...problems(400, 401, 404, 503),
  },
});

function requirePublishableKey(expected: string): MiddlewareHandler<ApiEnv> {
  const key = Buffer.from(expected);
  return async (context, next) => {
    const offered = Buffer.from(context.req.header('apikey') ?? '');
    if (offered.length !== key.length || !timingSafeEqual(offered, key)) {
      throw new FloorwalkerError('api_key_invalid');
    }
    await next();
  };
}

/** An interaction that nobody can join is not left waiting: generation 0 is the one before any claim. */
async function abandon(
  { serviceDb, rooms }: ApiParts,
  interactionId: string,
  room: string,
  log: Log,
): Promise<void> {
  try {
    await completeInteraction(serviceDb, {
      interactionId,
      generation: 0,
      status: 'failed',
      endReason: 'media_unavailable',
    });
  } catch (err) {
    log.error({ err }, 'interaction could not be marked as failed');
  }
  await rooms.close(room);
}

export function addCustomerRoutes(api: Api, parts: ApiParts): void {
  const { settings, rooms, serviceDb: db } = parts;
  const { publishableKey } = settings.supabase;
  if (publishableKey === undefined) {
    throw new FloorwalkerError(
      'config_invalid',
      'SUPABASE_PUBLISHABLE_KEY is not set; customers send it as apikey.',
    );
  }
  const keyed = requirePublishableKey(publishableKey);
  const createOne = createTogether(db);
  const hashAddress = addressHasher(settings.supabase.secretKey);

  for (const route of [create, rejoin, status, leave, rate, publicAgents]) guard(api, route, keyed);

  api.openapi(create, async (context) => {
    const { agent_id, channel, phone_number } = context.req.valid('json');
    const origin = context.req.header('origin');
    const limits = settings.api.limits;
    const resumeToken = newResumeToken();
    const created = await createOne({
      agent_id,
      channel,
      ...(phone_number === undefined ? {} : { phone_number, phone_source: 'claimed' as const }),
      ...(origin === undefined || parts.origins.isOwn(origin, context.req.header('host')) ? {} : { origin }),
      address_hash: hashAddress(context.get('address')),
      resume_token_hash: hashResumeToken(resumeToken),
      require_public: true,
      limits: {
        per_address_per_minute: limits.perAddressPerMinute,
        per_address_open: limits.perAddressOpen,
        per_agent_per_minute: limits.perAgentPerMinute,
        per_business_open: limits.perBusinessOpen,
        per_business_minutes_per_day: limits.perBusinessMinutesPerDay,
      },
    });
    const { interaction_id, room, position } = created;
    const log = context.get('log').child({ interactionId: interaction_id });
    let token: string;
    try {
      await rooms.open(room, channel, created.first_in_turn ? interaction_id : undefined);
      token = await rooms.customerToken(room, interaction_id, channel);
    } catch (error) {
      await abandon(parts, interaction_id, room, log);
      throw error;
    }
    parts.metrics.created.inc({ channel });
    log.info({ agentId: agent_id, channel }, 'interaction created');
    const join = { interaction_id, room, url: rooms.url, token, resume_token: resumeToken };
    return context.json({ ...join, status: created.status, position }, 201);
  });

  api.openapi(rejoin, async (context) => {
    const { id } = context.req.valid('param');
    const { resume_token } = context.req.valid('json');
    const { room, status, agent_type, position } = await resumeInteraction(db, {
      interactionId: id,
      resumeTokenHash: hashResumeToken(resume_token),
    });
    if (status === 'completed' || status === 'failed') {
      throw new FloorwalkerError('interaction_ended', undefined, { details: { status } });
    }
    // LiveKit may have restarted meanwhile; an existing room is left as it is.
    await rooms.open(room, agent_type);
    const token = await rooms.customerToken(room, id, agent_type);
    return context.json(
      { interaction_id: id, room, url: rooms.url, token, status, channel: agent_type, position },
      200,
    );
  });

  api.openapi(status, async (context) => {
    const { id } = context.req.valid('param');
    const found = await resumeInteraction(db, {
      interactionId: id,
      resumeTokenHash: hashResumeToken(context.req.valid('json').resume_token),
    });
    return context.json({ interaction_id: id, status: found.status, position: found.position }, 200);
  });

  api.openapi(leave, async (context) => {
    const { id } = context.req.valid('param');
    const left = await leaveInteraction(db, {
      interactionId: id,
      resumeTokenHash: hashResumeToken(context.req.valid('json').resume_token),
    });
    const log = context.get('log').child({ interactionId: id });
    if (left.status === 'active') parts.doorbell.ring(left.room, id, log, left.generation);
    return context.json({ interaction_id: id, status: left.status }, 202);
  });

  api.openapi(rate, async (context) => {
    const { id } = context.req.valid('param');
    const { resume_token, score, comment } = context.req.valid('json');
    await rateInteraction(db, {
      interactionId: id,
      resumeTokenHash: hashResumeToken(resume_token),
      score,
      comment: comment ?? null,
    });
    return context.body(null, 204);
  });

  api.openapi(publicAgents, async (context) => {
    return context.json({ data: await listPublicAgents(db, context.req.valid('query')) }, 200);
  });
}
