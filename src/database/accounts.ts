import { randomBytes } from 'node:crypto';
import type { AuthError } from '@supabase/supabase-js';
import { FloorwalkerError } from '../errors.ts';
import type { Database } from './client.ts';

/** How a person can sign in from now on. */
export type Access =
  | { readonly kind: 'password'; readonly id: string; readonly password: string }
  | { readonly kind: 'mail' | 'existing'; readonly id: string };

/**
 * An account of Supabase Auth for an e-mail address: a new one with a one-time password or an invitation by mail, or
 * the one that is there. With the secret key.
 *
 * @throws FloorwalkerError `auth_failed`, `database_unavailable`
 */
export async function giveAccess(db: Database, email: string, byMail: boolean): Promise<Access> {
  // 144 bits: nobody guesses it before it is changed.
  const password = randomBytes(18).toString('base64url');
  const { data, error } = byMail
    ? await db.auth.admin.inviteUserByEmail(email)
    : await db.auth.admin.createUser({ email, password, email_confirm: true });
  if (error === null) {
    return byMail ? { kind: 'mail', id: data.user.id } : { kind: 'password', id: data.user.id, password };
  }
  if (error.code !== 'email_exists' && error.code !== 'user_already_exists') {
    throw authError(error);
  }
  const id = await findAuthUser(db, email);
  if (id !== undefined) return { kind: 'existing', id };
  throw new FloorwalkerError('auth_failed', `Supabase Auth has ${email} but does not list it.`, {
    cause: error,
  });
}

/**
 * Takes back an account that nothing came of: without a profile it could sign in and see nothing, and a second try
 * would find the address taken. One that was there before stays.
 */
export async function takeBackAccess(db: Database, access: Access): Promise<void> {
  if (access.kind !== 'existing') await db.auth.admin.deleteUser(access.id);
}

function authError(error: AuthError): FloorwalkerError {
  // Without an answer, or with a gateway's, it is not Auth that refused.
  if (error.status === undefined || error.status === 0 || error.status >= 502) {
    return new FloorwalkerError('database_unavailable', undefined, { cause: error });
  }
  return new FloorwalkerError('auth_failed', `Supabase Auth: ${error.message}`, { cause: error });
}

async function findAuthUser(db: Database, email: string): Promise<string | undefined> {
  const perPage = 1000;
  for (let page = 1; ; page += 1) {
    const { data, error } = await db.auth.admin.listUsers({ page, perPage });
    if (error !== null) throw authError(error);
    const found = data.users.find((user) => user.email?.toLowerCase() === email.toLowerCase());
    if (found !== undefined) return found.id;
    if (data.users.length < perPage) return undefined;
  }
}
