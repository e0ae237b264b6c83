import { z } from 'zod';
import type { Database } from './client.ts';
import { permissionRowSchema } from './rows.ts';
import { callFunction } from './rpc.ts';

const decidedSchema = z.object({
  permission: permissionRowSchema.extend({ decided_by_name: z.string().nullable() }),
});
export type DecidedPermission = z.output<typeof decidedSchema>['permission'];

/**
 * Decides a pending permission as the signed-in person. Edited arguments come with the hash that binds them.
 *
 * @throws FloorwalkerError `permission_not_found`, `not_allowed_to_decide`, `invalid_decision`,
 * `permission_already_decided` (details: `status`, `decided_by`, `decided_by_name`, `responded_at`)
 */
export async function decidePermission(
  db: Database,
  args: {
    permissionId: string;
    decision: 'allowed' | 'denied';
    note?: string | null;
    arguments?: Record<string, unknown> | null;
    argumentsHash?: string | null;
    /** Allows the like of it for the rest of the interaction; see `tool_grants`. */
    scope?: Record<string, unknown> | null;
  },
): Promise<DecidedPermission> {
  const { permission } = await callFunction(
    db,
    'decide_permission',
    {
      p_permission_id: args.permissionId,
      p_decision: args.decision,
      p_note: args.note ?? null,
      p_arguments: args.arguments ?? null,
      p_arguments_hash: args.argumentsHash ?? null,
      p_scope: args.scope ?? null,
    },
    decidedSchema,
  );
  return permission;
}

/**
 * Takes back that a call may be made again without asking ("allow for this interaction"). Taking back twice is no error.
 *
 * @throws FloorwalkerError `permission_not_found`, `not_allowed_to_decide`, `grant_not_found`
 */
export async function revokeGrant(db: Database, permissionId: string): Promise<DecidedPermission> {
  const args = { p_permission_id: permissionId };
  return (await callFunction(db, 'revoke_grant', args, decidedSchema)).permission;
}

/**
 * Withdraws the pending permissions of an interaction, or of one call. Returns how many.
 *
 * @throws FloorwalkerError `stale_generation`, `interaction_not_found`
 */
export function withdrawPermissions(
  db: Database,
  args: { interactionId: string; generation: number; callId?: string | null; reason?: string | null },
): Promise<number> {
  return callFunction(
    db,
    'withdraw_permissions',
    {
      p_interaction_id: args.interactionId,
      p_generation: args.generation,
      p_call_id: args.callId ?? null,
      p_reason: args.reason ?? null,
    },
    z.coerce.number(),
  );
}

/** Times out what is due by the database's clock. Returns how many. */
export function expirePermissions(db: Database): Promise<number> {
  return callFunction(db, 'expire_permissions', {}, z.coerce.number());
}

const escalatedSchema = z.array(z.object({ interaction_id: z.guid(), permission_id: z.guid().nullable() }));

/** Requests that nobody answered in time, each returned once: they go to the cover and the admins too. */
export function escalateRequests(
  db: Database,
  args: { afterSeconds: number },
): Promise<z.output<typeof escalatedSchema>> {
  return callFunction(db, 'escalate_requests', { p_after_seconds: args.afterSeconds }, escalatedSchema);
}
