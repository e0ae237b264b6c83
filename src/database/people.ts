import { z } from 'zod';
import type { Database } from './client.ts';
import { callFunction } from './rpc.ts';

export interface NewBusiness {
  readonly name: string;
  readonly slug: string;
  /** IANA name; default UTC. "Today" of its figures begins there. */
  readonly time_zone?: string | undefined;
  /** Origins whose pages may start interactions; `*` is any, none is none. */
  readonly allowed_origins?: readonly string[] | undefined;
  readonly retention?: Record<string, number> | undefined;
  readonly tag_vocabulary?: { topics?: readonly string[]; issues?: readonly string[] } | undefined;
  readonly limits?: Record<string, number> | undefined;
}

/** `created: false` when there is one with this slug; it is left as it is. @throws `invalid_time_zone` */
export function createBusiness(
  db: Database,
  business: NewBusiness,
): Promise<{ business_id: string; created: boolean }> {
  return callFunction(
    db,
    'create_business',
    { p_business: business },
    z.object({ business_id: z.guid(), created: z.boolean() }),
  );
}

export interface NewUser {
  /** The id that Supabase Auth gave. */
  readonly id: string;
  readonly business_id?: string | undefined;
  readonly business_slug?: string | undefined;
  readonly email: string;
  readonly name: string;
  readonly role: 'admin' | 'supervisor';
  /** Supervisors need both; admins have neither. */
  readonly username?: string | null | undefined;
  readonly supervisor_type?: 'voice' | 'chat' | null | undefined;
}

/**
 * The profile beside an Auth user; a second call updates it.
 *
 * @throws FloorwalkerError `business_not_found`, `user_not_found`, `username_taken`,
 * `user_of_another_business`, `supervisor_has_agents`
 */
export function registerUser(
  db: Database,
  user: NewUser,
): Promise<{ user_id: string; business_id: string; created: boolean }> {
  return callFunction(
    db,
    'register_user',
    { p_user: user },
    z.object({ user_id: z.guid(), business_id: z.guid(), created: z.boolean() }),
  );
}

/** As a signed-in person: the console is open. @throws FloorwalkerError `not_allowed` */
export function touchPresence(db: Database): Promise<{ last_seen_at: string }> {
  return callFunction(db, 'touch_presence', {}, z.object({ last_seen_at: z.string() }));
}
