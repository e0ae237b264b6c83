import { z } from 'zod';
import type { Database } from './client.ts';
import {
  callResolutionSchema,
  channelSchema,
  controlSchema,
  interactionStatusSchema,
  permissionStatusSchema,
} from './rows.ts';
import { callFunction } from './rpc.ts';

/** An interaction that a session believes to hold, and the generation it was claimed with. */
export interface Lease {
  readonly interactionId: string;
  readonly generation: number;
}

function toJson(leases: readonly Lease[]): { interaction_id: string; generation: number }[] {
  return leases.map(({ interactionId, generation }) => ({ interaction_id: interactionId, generation }));
}

const heldSchema = z.array(z.object({ interaction_id: z.guid(), held: z.boolean() }));

/** Renews the leases of a worker; `held: false` means that another generation has taken over. */
export function heartbeat(
  db: Database,
  args: { workerId: string; leases: readonly Lease[]; leaseSeconds: number; timeoutMs?: number },
): Promise<z.output<typeof heldSchema>> {
  return callFunction(
    db,
    'heartbeat',
    { p_worker_id: args.workerId, p_leases: toJson(args.leases), p_lease_seconds: args.leaseSeconds },
    heldSchema,
    args.timeoutMs,
  );
}

/**
 * Renews what a worker has claimed and whose process has not begun yet. Returns the interactions that were
 * renewed: the others are in the hands of their processes, or of another worker.
 */
export function keepClaims(
  db: Database,
  args: { workerId: string; claims: readonly Lease[]; leaseSeconds: number },
): Promise<string[]> {
  const { workerId, claims, leaseSeconds } = args;
  const parameters = { p_worker_id: workerId, p_claims: toJson(claims), p_lease_seconds: leaseSeconds };
  return callFunction(db, 'keep_claims', parameters, z.array(z.guid()));
}

/**
 * Gives an interaction back at once, for another worker to carry on. False when it was not ours any more.
 *
 * @param options.handedOver the session left in good order: its successor goes on without an apology.
 */
export async function releaseLease(
  db: Database,
  lease: Lease,
  options: { handedOver?: boolean } = {},
): Promise<boolean> {
  const { released } = await callFunction(
    db,
    'release_lease',
    {
      p_interaction_id: lease.interactionId,
      p_generation: lease.generation,
      p_handed_over: options.handedOver ?? false,
    },
    z.object({ released: z.boolean() }),
  );
  return released;
}

/**
 * Gives everything back that a process held which is known to be dead. Returns how many interactions that were.
 *
 * @param options.stalledBy the interaction whose work held up all of them, where that is known; it is counted.
 */
export async function releaseWorker(
  db: Database,
  workerId: string,
  options: { stalledBy?: string | undefined } = {},
): Promise<number> {
  const parameters = { p_worker_id: workerId, p_stalled_by: options.stalledBy ?? null };
  return callFunction(db, 'release_worker', parameters, z.number());
}

/** Counts that this interaction brought all others in its process down; the process gives its leases back by itself. */
export async function countStall(db: Database, interactionId: string): Promise<void> {
  // No worker has an empty name: nothing else changes.
  await releaseWorker(db, '', { stalledBy: interactionId });
}

const polledPermissionSchema = z.object({
  id: z.guid(),
  call_id: z.string(),
  status: permissionStatusSchema,
  note: z.string().nullable(),
  edited_arguments: z.unknown(),
  edited_hash: z.string().nullable(),
  decided_by_name: z.string().nullable(),
  expires_at: z.string(),
});
export type PolledPermission = z.output<typeof polledPermissionSchema>;

/** What a supervisor told the agent in confidence: in a whisper, or with a conversation handed back. */
export const whisperSchema = z.object({
  id: z.guid(),
  kind: z.enum(['whisper', 'hand_back']),
  text: z.string(),
  by_name: z.string(),
  at: z.string(),
});
export type Whisper = z.output<typeof whisperSchema>;

const resolutionSchema = z.object({
  call_id: z.string(),
  tool_name: z.string(),
  arguments: z.unknown(),
  resolution: callResolutionSchema,
  note: z.string().nullable(),
  resolved_by_name: z.string().nullable(),
});

const polledSessionSchema = z.object({
  interaction_id: z.guid(),
  held: z.boolean(),
  status: interactionStatusSchema,
  control: controlSchema,
  controlled_by: z.guid().nullable(),
  controlled_by_name: z.string().nullable(),
  /** Those that the agent does not have yet; see `takeWhispers`. */
  whispers: z.array(whisperSchema),
  paused: z.boolean(),
  end_requested_reason: z.string().nullable(),
  /** Changes when a tool row of the agent is added, edited or removed. */
  tools_version: z.string(),
  /** Permissions whose call has no outcome yet. */
  permissions: z.array(polledPermissionSchema),
  /** What people said of calls whose outcome was unknown; all there are. */
  resolutions: z.array(resolutionSchema),
});
export type PolledSession = z.output<typeof polledSessionSchema>;

/** News of all sessions of a process in one query; permissions that are due are timed out first. */
export function pollSessions(
  db: Database,
  leases: readonly Lease[],
  options: { timeoutMs?: number } = {},
): Promise<PolledSession[]> {
  const parameters = { p_leases: toJson(leases) };
  return callFunction(db, 'poll_sessions', parameters, z.array(polledSessionSchema), options.timeoutMs);
}

const claimableSchema = z.object({
  interaction_id: z.guid(),
  room: z.string(),
  generation: z.number(),
  agent_type: channelSchema,
  claim_attempts: z.number(),
  /** Since it began to wait for its first agent. */
  waited_seconds: z.number(),
});
export type ClaimableInteraction = z.output<typeof claimableSchema>;

/** Interactions that wait for a worker: queued ones whose agent has a place, and those whose lease ran out. */
export function claimableInteractions(
  db: Database,
  args: { limit?: number } = {},
): Promise<ClaimableInteraction[]> {
  return callFunction(db, 'claimable_interactions', { p_limit: args.limit ?? 100 }, z.array(claimableSchema));
}

/**
 * Ends queued interactions that are older than `afterSeconds`, except those in `present` (their customer waits
 * in the room), and active ones that no worker has carried on for half an hour. Returns their ids.
 */
export function reapUnjoined(
  db: Database,
  args: { afterSeconds: number; present?: readonly string[] },
): Promise<string[]> {
  const parameters = { p_after_seconds: args.afterSeconds, p_present: args.present ?? [] };
  return callFunction(db, 'reap_unjoined', parameters, z.array(z.guid()));
}

const waitingSchema = z.object({
  interaction_id: z.guid(),
  room: z.string(),
  agent_type: channelSchema,
  /** Place in the queue of its agent; the first is next. */
  position: z.number(),
  waited_seconds: z.number(),
  language: z.string(),
  voice_settings: z.unknown(),
  business_name: z.string(),
});
export type WaitingInteraction = z.output<typeof waitingSchema>;

/** Interactions that no worker has taken yet, the longest waiting first. */
export function waitingInteractions(db: Database): Promise<WaitingInteraction[]> {
  return callFunction(db, 'waiting_interactions', {}, z.array(waitingSchema));
}
