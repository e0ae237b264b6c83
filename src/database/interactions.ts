import { z } from 'zod';
import type { Channel } from '../domain/channel.ts';
import { FloorwalkerError } from '../errors.ts';
import type { Database } from './client.ts';
import {
  agentRowSchema,
  agentSnapshotSchema,
  agentToolRowSchema,
  archiveRowSchema,
  businessRowSchema,
  channelSchema,
  interactionRowSchema,
  interactionStatusSchema,
  messageRowSchema,
  phoneSourceSchema,
  toolCallWithPermissionSchema,
} from './rows.ts';
import { callFunction, raisedError } from './rpc.ts';
import { Together } from './together.ts';

/** Each of them is still quickly done, for those who wait for the next ones. */
const MOST_TOGETHER = 50;

/** Limits on creating interactions; one that is left out is none. The business's own values win. */
export interface CreationLimits {
  readonly per_address_per_minute?: number;
  readonly per_address_open?: number;
  readonly per_agent_per_minute?: number;
  readonly per_business_open?: number;
  readonly per_business_minutes_per_day?: number;
}

export interface NewInteraction {
  readonly agent_id: string;
  readonly channel: Channel;
  /** E.164. */
  readonly phone_number?: string;
  readonly phone_source?: z.output<typeof phoneSourceSchema>;
  readonly direction?: 'inbound' | 'outbound';
  /** A rehearsal never counts in scores, first contact resolution or live views. */
  readonly kind?: 'live' | 'rehearsal';
  readonly called_number?: string;
  /** The phone network's id of the call; the same one again gives the same interaction. */
  readonly provider_call_id?: string;
  /** A room that exists already; by default `fw-<interaction id>`. */
  readonly room?: string;
  /** The origin of the page that asks. */
  readonly origin?: string;
  readonly address_hash?: string;
  readonly resume_token_hash?: string;
  /** True for the public route: the agent must be public and the origin allowed. */
  readonly require_public: boolean;
  readonly limits?: CreationLimits;
}

const createdSchema = z.object({
  interaction_id: z.guid(),
  room: z.string(),
  status: interactionStatusSchema,
  agent_type: channelSchema,
  business_id: z.guid(),
  /** Place in the queue of its agent, the first being next; 0 for one that does not wait. */
  position: z.number(),
  /** False when somebody has waited longer or the agent has no place: workers then go by the queue. */
  first_in_turn: z.boolean(),
});
const madeSchema = z.array(
  z.union([
    z.object({ created: createdSchema }),
    z.object({ code: z.string(), message: z.string(), details: z.string().nullable() }),
  ]),
);
export type CreatedInteraction = z.output<typeof createdSchema>;

/**
 * Makes a queued interaction.
 *
 * @throws FloorwalkerError `agent_not_found`, `agent_not_public`, `origin_not_allowed`, `channel_mismatch`,
 * `invalid_phone_number`, `rate_limited` and `business_limit_reached` (details: `retry_after_seconds`, `limit`)
 */
export function createInteraction(db: Database, request: NewInteraction): Promise<CreatedInteraction> {
  return createTogether(db)(request);
}

/** Like `createInteraction` for several at once, each for itself: in their order, what was made or why it was not. */
async function createInteractions(
  db: Database,
  requests: readonly NewInteraction[],
): Promise<(CreatedInteraction | FloorwalkerError)[]> {
  const answers = await callFunction(db, 'create_interactions', { p_requests: requests }, madeSchema);
  return answers.map((answer) =>
    'created' in answer ? answer.created : raisedError(answer, 'create_interactions'),
  );
}

/** Makes interactions for many who ask at once. Rejects as `createInteraction` throws. */
export function createTogether(db: Database): (request: NewInteraction) => Promise<CreatedInteraction> {
  const together = new Together(
    (requests: readonly NewInteraction[]) => createInteractions(db, requests),
    MOST_TOGETHER,
  );
  return async (request) => {
    const made = await together.ask(request);
    if (made instanceof FloorwalkerError) throw made;
    return made;
  };
}

const claimSchema = z.discriminatedUnion('claimed', [
  z.object({
    claimed: z.literal(false),
    reason: z.enum(['held', 'ended', 'agent_at_capacity', 'not_found']),
  }),
  z.object({
    claimed: z.literal(true),
    generation: z.number(),
    /** An earlier generation was in the middle of the conversation. */
    recovered: z.boolean(),
    /** The database's clock at the claim. */
    now: z.string(),
    interaction: interactionRowSchema,
    business: businessRowSchema,
    agent: agentRowSchema,
    tools: z.array(agentToolRowSchema),
    snapshot: agentSnapshotSchema,
    messages: z.array(messageRowSchema),
    open_calls: z.array(toolCallWithPermissionSchema),
  }),
]);
const claimsSchema = z.record(z.guid(), claimSchema);
export type ClaimResult = z.output<typeof claimSchema>;
export type ClaimedInteraction = Extract<ClaimResult, { claimed: true }>;

/** Leases an interaction to a worker if nobody holds it. The generation goes with every later write. */
export function claimInteraction(
  db: Database,
  args: { interactionId: string; workerId: string; leaseSeconds: number },
): Promise<ClaimResult> {
  return claimTogether(db, args.leaseSeconds)(args.interactionId, args.workerId);
}

/** Like `claimInteraction`, for workers that are offered many at once. */
export function claimTogether(
  db: Database,
  leaseSeconds: number,
): (interactionId: string, workerId: string) => Promise<ClaimResult> {
  const claimAll = async (workerId: string, ids: readonly string[]): Promise<ClaimResult[]> => {
    const parameters = { p_interaction_ids: ids, p_worker_id: workerId, p_lease_seconds: leaseSeconds };
    const claims = await callFunction(db, 'claim_interactions', parameters, claimsSchema);
    return ids.map((id) => claims[id] ?? { claimed: false, reason: 'not_found' });
  };
  const workers = new Map<string, Together<string, ClaimResult>>();
  return (interactionId, workerId) => {
    const known = workers.get(workerId);
    const together = known ?? new Together((ids) => claimAll(workerId, ids), MOST_TOGETHER);
    if (!known) workers.set(workerId, together);
    return together.ask(interactionId);
  };
}

const completedSchema = z.object({
  /** Null when retention has removed it since. */
  archive: archiveRowSchema.nullable(),
  already: z.boolean(),
});

/**
 * Ends an interaction and writes its archive from the facts. May be repeated.
 *
 * @throws FloorwalkerError `stale_generation`, `interaction_not_found`
 */
export function completeInteraction(
  db: Database,
  args: { interactionId: string; generation: number; status: 'completed' | 'failed'; endReason: string },
): Promise<z.output<typeof completedSchema>> {
  return callFunction(
    db,
    'complete_interaction',
    {
      p_interaction_id: args.interactionId,
      p_generation: args.generation,
      p_status: args.status,
      p_end_reason: args.endReason,
    },
    completedSchema,
  );
}

const phoneSchema = z.object({
  stored: z.boolean(),
  /** `trusted_number_kept`: a claimed number never replaces a SIP or verified one. */
  reason: z.string().optional(),
  phone_number: z.string(),
  phone_source: phoneSourceSchema,
  customer_id: z.guid().nullable(),
});

/** @throws FloorwalkerError `stale_generation`, `interaction_ended`, `invalid_phone_number` */
export function setPhoneNumber(
  db: Database,
  args: {
    interactionId: string;
    generation: number;
    phoneNumber: string;
    source: z.output<typeof phoneSourceSchema>;
  },
): Promise<z.output<typeof phoneSchema>> {
  return callFunction(
    db,
    'set_phone_number',
    {
      p_interaction_id: args.interactionId,
      p_generation: args.generation,
      p_phone: args.phoneNumber,
      p_source: args.source,
    },
    phoneSchema,
  );
}

/** @throws FloorwalkerError `stale_generation`, `interaction_ended` */
export function requestSupervisor(
  db: Database,
  args: { interactionId: string; generation: number; reason: string },
): Promise<{ supervisor_present: boolean }> {
  return callFunction(
    db,
    'request_supervisor',
    { p_interaction_id: args.interactionId, p_generation: args.generation, p_reason: args.reason },
    z.object({ supervisor_present: z.boolean() }),
  );
}

const endRequestedSchema = z.object({
  interaction_id: z.guid(),
  status: interactionStatusSchema,
  room: z.string(),
  end_requested_at: z.string(),
});

/** As a signed-in person. @throws FloorwalkerError `interaction_not_found`, `interaction_ended` */
export function requestEnd(
  db: Database,
  args: { interactionId: string; reason?: string | null },
): Promise<z.output<typeof endRequestedSchema>> {
  const parameters = { p_interaction_id: args.interactionId, p_reason: args.reason ?? null };
  return callFunction(db, 'request_end', parameters, endRequestedSchema);
}

const resumedSchema = z.object({
  interaction_id: z.guid(),
  room: z.string(),
  status: interactionStatusSchema,
  agent_type: channelSchema,
  /** Place in the queue; 0 for one that does not wait. */
  position: z.number(),
});

/** @throws FloorwalkerError `resume_token_invalid` */
export function resumeInteraction(
  db: Database,
  args: { interactionId: string; resumeTokenHash: string },
): Promise<z.output<typeof resumedSchema>> {
  const parameters = { p_interaction_id: args.interactionId, p_resume_token_hash: args.resumeTokenHash };
  return callFunction(db, 'resume_interaction', parameters, resumedSchema);
}

const leftSchema = z.object({
  interaction_id: z.guid(),
  status: interactionStatusSchema,
  room: z.string(),
  generation: z.number(),
});

/** The customer is done with it; harmless when it has ended. @throws FloorwalkerError `resume_token_invalid` */
export function leaveInteraction(
  db: Database,
  args: { interactionId: string; resumeTokenHash: string },
): Promise<z.output<typeof leftSchema>> {
  const parameters = { p_interaction_id: args.interactionId, p_resume_token_hash: args.resumeTokenHash };
  return callFunction(db, 'leave_interaction', parameters, leftSchema);
}

/** @throws FloorwalkerError `resume_token_invalid`, `invalid_rating` */
export function rateInteraction(
  db: Database,
  args: { interactionId: string; resumeTokenHash: string; score: number; comment?: string | null },
): Promise<{ interaction_id: string; score: number }> {
  return callFunction(
    db,
    'rate_interaction',
    {
      p_interaction_id: args.interactionId,
      p_resume_token_hash: args.resumeTokenHash,
      p_score: args.score,
      p_comment: args.comment ?? null,
    },
    z.object({ interaction_id: z.guid(), score: z.number() }),
  );
}

const dispositionSchema = z.object({
  interaction_id: z.guid(),
  disposition: z.string().nullable(),
  supervisor_notes: z.string().nullable(),
});

/** As a signed-in person. @throws FloorwalkerError `interaction_not_found`, `invalid_disposition` */
export function setDisposition(
  db: Database,
  args: { interactionId: string; disposition: string; notes?: string | null },
): Promise<z.output<typeof dispositionSchema>> {
  return callFunction(
    db,
    'set_disposition',
    {
      p_interaction_id: args.interactionId,
      p_disposition: args.disposition,
      p_notes: args.notes ?? null,
    },
    dispositionSchema,
  );
}

export {
  type ClaimableInteraction,
  claimableInteractions,
  heartbeat,
  type Lease,
  type PolledPermission,
  type PolledSession,
  pollSessions,
  reapUnjoined,
  releaseLease,
} from './leases.ts';
