import { z } from 'zod';
import type { Database } from './client.ts';
import { controlSchema, interactionRowSchema } from './rows.ts';
import { callFunction } from './rpc.ts';

/** Who speaks with the customer, what the agent is told in confidence, and who listens. */

const takenOverSchema = interactionRowSchema.extend({
  /** Whose control it was; an admin insisted. Null when it was the agent's, or the caller's own already. */
  taken_from: z.guid().nullable(),
});
export type TakenOver = z.output<typeof takenOverSchema>;

/**
 * As a signed-in person. Again for who has control already: nothing changes.
 *
 * @throws FloorwalkerError `interaction_not_found`, `interaction_not_active`, `control_held` (details:
 * `controlled_by`, `controlled_by_name`, `since`)
 */
export function takeOver(
  db: Database,
  args: { interactionId: string; insist?: boolean },
): Promise<TakenOver> {
  const parameters = { p_interaction_id: args.interactionId, p_insist: args.insist ?? false };
  return callFunction(db, 'take_over', parameters, takenOverSchema);
}

/**
 * As the person who has control.
 *
 * @throws FloorwalkerError `interaction_not_found`, `interaction_not_active`, `control_not_held`, `invalid_whisper`
 */
export function handBack(
  db: Database,
  args: { interactionId: string; note?: string | null },
): Promise<z.output<typeof interactionRowSchema>> {
  const parameters = { p_interaction_id: args.interactionId, p_note: args.note ?? null };
  return callFunction(db, 'hand_back', parameters, interactionRowSchema);
}

const whisperedSchema = interactionRowSchema.extend({ whisper_id: z.guid() });

/**
 * As a signed-in person.
 *
 * @throws FloorwalkerError `interaction_not_found`, `interaction_not_active`, `invalid_whisper`
 */
export function whisper(
  db: Database,
  args: { interactionId: string; text: string },
): Promise<z.output<typeof whisperedSchema>> {
  const parameters = { p_interaction_id: args.interactionId, p_text: args.text };
  return callFunction(db, 'whisper', parameters, whisperedSchema);
}

/** As a signed-in person; audited. @throws FloorwalkerError `interaction_not_found`, `interaction_not_active` */
export function monitorInteraction(
  db: Database,
  args: { interactionId: string },
): Promise<z.output<typeof interactionRowSchema>> {
  return callFunction(
    db,
    'monitor_interaction',
    { p_interaction_id: args.interactionId },
    interactionRowSchema,
  );
}

const releasedSchema = z.object({
  released: z.boolean(),
  control: controlSchema,
  controlled_by: z.guid().nullable(),
});

/**
 * The session gives control back to the agent. `released: false` when `controlledBy` does not have it any more.
 *
 * @throws FloorwalkerError `stale_generation`, `interaction_not_found`
 */
export function releaseControl(
  db: Database,
  args: { interactionId: string; generation: number; reason: string; controlledBy: string },
): Promise<z.output<typeof releasedSchema>> {
  return callFunction(
    db,
    'release_control',
    {
      p_interaction_id: args.interactionId,
      p_generation: args.generation,
      p_reason: args.reason,
      p_controlled_by: args.controlledBy,
    },
    releasedSchema,
  );
}

/** The agent has these in its conversation. Returns how many were new. @throws FloorwalkerError `stale_generation` */
export function takeWhispers(
  db: Database,
  args: { interactionId: string; generation: number; ids: readonly string[] },
): Promise<number> {
  return callFunction(
    db,
    'take_whispers',
    { p_interaction_id: args.interactionId, p_generation: args.generation, p_ids: args.ids },
    z.coerce.number(),
  );
}

/** These people are there now. Returns how many of them exist. */
export function touchPresences(db: Database, userIds: readonly string[]): Promise<number> {
  return callFunction(db, 'touch_presences', { p_user_ids: userIds }, z.coerce.number());
}

const outOfSightSchema = z.object({ room: z.string(), user_id: z.guid() });

/** Who listens to or has spoken in a conversation that goes on, and may not see it any more. With the secret key. */
export function peopleOutOfSight(db: Database): Promise<z.output<typeof outOfSightSchema>[]> {
  return callFunction(db, 'people_out_of_sight', {}, z.array(outOfSightSchema));
}
