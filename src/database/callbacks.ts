import { z } from 'zod';
import type { Database } from './client.ts';
import { callFunction } from './rpc.ts';

/** Customers who asked to be called back, because no person was there. */

const callbackRowSchema = z.looseObject({
  id: z.guid(),
  interaction_id: z.guid(),
  agent_id: z.guid(),
  /** E.164. */
  phone_number: z.string(),
  reason: z.string(),
  preferred_time: z.string().nullable(),
  requested_at: z.string(),
  done_at: z.string().nullable(),
  done_by: z.guid().nullable(),
  done_by_name: z.string().nullable(),
  note: z.string().nullable(),
});
export type CallbackRow = z.output<typeof callbackRowSchema>;

/**
 * Records the request of a conversation; asked again it replaces the one that is open.
 *
 * @throws FloorwalkerError `phone_number_needed`, `invalid_phone_number`, `stale_generation`, `interaction_ended`
 */
export function requestCallback(
  db: Database,
  args: {
    interactionId: string;
    generation: number;
    reason: string;
    phoneNumber?: string | undefined;
    preferredTime?: string | undefined;
  },
): Promise<CallbackRow> {
  return callFunction(
    db,
    'request_callback',
    {
      p_interaction_id: args.interactionId,
      p_generation: args.generation,
      p_reason: args.reason,
      p_phone_number: args.phoneNumber ?? null,
      p_preferred_time: args.preferredTime ?? null,
    },
    callbackRowSchema,
  );
}

/** As a signed-in person; a second time it shows who did it. @throws FloorwalkerError `callback_not_found` */
export function completeCallback(
  db: Database,
  args: { callbackId: string; note?: string | null },
): Promise<CallbackRow> {
  const parameters = { p_callback_id: args.callbackId, p_note: args.note ?? null };
  return callFunction(db, 'complete_callback', parameters, callbackRowSchema);
}
