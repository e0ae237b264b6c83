import { z } from 'zod';
import type { Database } from './client.ts';
import { callFunction } from './rpc.ts';

/** What an admin does; each function takes the actor, and with it the business, from the token of `db`. */

export interface NewPerson {
  readonly email: string;
  readonly name: string;
  readonly role: 'admin' | 'supervisor';
  /** Supervisors need both, admins have neither. */
  readonly username: string | null;
  readonly supervisor_type: 'voice' | 'chat' | null;
}

export interface PersonChange {
  readonly name?: string | undefined;
  readonly role?: 'admin' | 'supervisor' | undefined;
  readonly username?: string | null | undefined;
  readonly supervisor_type?: 'voice' | 'chat' | null | undefined;
}

const idSchema = z.object({ id: z.guid() });

/**
 * Whether the person could be added, before there is an account for them.
 *
 * @throws FloorwalkerError `not_allowed`, `person_exists`, `user_of_another_business`, `username_taken`
 */
export async function checkPerson(db: Database, person: NewPerson): Promise<void> {
  await callFunction(db, 'check_person', { p_person: person }, z.object({ returning: z.boolean() }));
}

/** The profile beside the account `id`. @throws FloorwalkerError as {@link checkPerson}, and `user_not_found` */
export function addPerson(db: Database, person: NewPerson & { id: string }): Promise<{ id: string }> {
  return callFunction(db, 'add_person', { p_person: person }, idSchema);
}

/**
 * @throws FloorwalkerError `not_allowed`, `user_not_found`, `username_taken`, `last_admin`; `supervisor_has_agents`
 *   (details: `agents`) where role or type change; `invalid_request` where a supervisor would lack name or type
 */
export function changePerson(
  db: Database,
  args: { userId: string; change: PersonChange },
): Promise<{ id: string }> {
  const parameters = { p_user_id: args.userId, p_change: args.change };
  return callFunction(db, 'change_person', parameters, idSchema);
}

/**
 * Removes a person's access; what they did stays under their name.
 *
 * @throws FloorwalkerError `not_allowed` (also for oneself), `user_not_found`, `supervisor_has_agents` (details:
 *   `agents`), `person_in_control` (details: `interaction_ids`)
 */
export function deactivatePerson(db: Database, args: { userId: string }): Promise<{ id: string }> {
  return callFunction(db, 'deactivate_person', { p_user_id: args.userId }, idSchema);
}

/**
 * @throws FloorwalkerError `not_allowed`, `agent_not_found`, `supervisor_invalid`, `cover_invalid`, `too_many_agents`
 */
export function assignAgent(
  db: Database,
  args: {
    agentId: string;
    change: { supervisor_id?: string | undefined; cover_id?: string | null | undefined };
  },
): Promise<{ id: string }> {
  const parameters = { p_agent_id: args.agentId, p_change: args.change };
  return callFunction(db, 'assign_agent', parameters, idSchema);
}

export interface BusinessChange {
  readonly name?: string | undefined;
  readonly time_zone?: string | undefined;
  readonly allowed_origins?: readonly string[] | undefined;
  readonly retention?: Readonly<Record<string, number | undefined>> | undefined;
  readonly tag_vocabulary?:
    | { readonly topics: readonly string[]; readonly issues: readonly string[] }
    | undefined;
  /** Refused when the settings have changed since then. */
  readonly expected_updated_at?: string | undefined;
}

/**
 * @throws FloorwalkerError `not_allowed`, `invalid_time_zone`, `invalid_origin`, `invalid_retention`,
 *   `invalid_vocabulary`, `version_conflict` (details: `updated_at`)
 */
export function changeBusiness(db: Database, change: BusinessChange): Promise<{ id: string }> {
  return callFunction(db, 'change_business', { p_change: change }, idSchema);
}
