import { z } from 'zod';
import type { Database } from './client.ts';
import { whisperSchema } from './leases.ts';
import {
  agentSnapshotSchema,
  agentToolRowSchema,
  businessRowSchema,
  interactionRowSchema,
  messageRowSchema,
  toolCallRowSchema,
} from './rows.ts';
import { callFunction } from './rpc.ts';

const loadedSchema = z.object({
  /** The database's clock. */
  now: z.string(),
  interaction: interactionRowSchema.extend({ worker_id: z.string().nullable() }),
  /** The generation before this one left in good order. */
  handed_over: z.boolean(),
  business: businessRowSchema,
  customer: z.looseObject({ id: z.guid(), name: z.string().nullable() }).nullable(),
  snapshot: agentSnapshotSchema,
  tools: z.array(agentToolRowSchema),
  /** All of the interaction, those of earlier generations too. */
  whispers: z.array(whisperSchema),
  messages: z.array(messageRowSchema),
  calls: z.array(toolCallRowSchema),
});
export type LoadedSession = z.output<typeof loadedSchema>;

/** The agent's tools as they are now, for a session that is under way. @throws FloorwalkerError `stale_generation` */
export function loadAgentTools(
  db: Database,
  args: { interactionId: string; generation: number },
): Promise<LoadedSession['tools']> {
  const parameters = { p_interaction_id: args.interactionId, p_generation: args.generation };
  return callFunction(db, 'load_agent_tools', parameters, z.array(agentToolRowSchema));
}

/**
 * Everything that a session begins with, for the process that runs it; from now on the lease is that process's
 * to renew, and no longer its worker's.
 *
 * @throws FloorwalkerError `stale_generation` when the claim does not hold any more.
 */
export function loadSession(
  db: Database,
  args: { interactionId: string; generation: number; leaseSeconds?: number },
): Promise<LoadedSession> {
  const parameters = {
    p_interaction_id: args.interactionId,
    p_generation: args.generation,
    p_lease_seconds: args.leaseSeconds ?? 8,
  };
  return callFunction(db, 'load_session', parameters, loadedSchema);
}
