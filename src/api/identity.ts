import { createHash } from 'node:crypto';
import type { SupabaseClient } from '@supabase/supabase-js';
import type { MiddlewareHandler } from 'hono';
import { z } from 'zod';
import { databaseError } from '../database/rpc.ts';
import { FloorwalkerError } from '../errors.ts';
import type { ApiEnv, Person } from './environment.ts';

const REMEMBER_MS = 10_000;
const VERIFY_WITHIN_MS = 10_000;
const REMEMBER_AT_MOST = 500;

const profileSchema = z.object({
  id: z.string(),
  business_id: z.string(),
  role: z.enum(['admin', 'supervisor']),
  name: z.string(),
});

const claimsSchema = z.object({ exp: z.number(), aal: z.string().optional() });

/** What the token says of itself; it is the auth server that verifies the token. */
function claimsOf(token: string): z.output<typeof claimsSchema> | undefined {
  try {
    const payload: unknown = JSON.parse(Buffer.from(token.split('.')[1] ?? '', 'base64url').toString('utf8'));
    return claimsSchema.parse(payload);
  } catch {
    return undefined;
  }
}

const expiryMs = (token: string): number => (claimsOf(token)?.exp ?? 0) * 1_000;

/**
 * Who a Supabase Auth token stands for. The auth server verifies the token; role and business are read from
 * `users` with that same token, never from the token's metadata. Answers are remembered for ten seconds at most.
 */
export class People {
  readonly #verifier: SupabaseClient;
  readonly #clientFor: (accessToken: string) => SupabaseClient;
  readonly #known = new Map<string, { person: Promise<Person>; untilMs: number }>();

  constructor(verifier: SupabaseClient, clientFor: (accessToken: string) => SupabaseClient) {
    this.#verifier = verifier;
    this.#clientFor = clientFor;
  }

  /** @throws FloorwalkerError `unauthenticated`, `second_factor_required`, `not_a_member` or `database_unavailable` */
  async of(token: string): Promise<Person> {
    const key = createHash('sha256').update(token).digest('base64url');
    const known = this.#known.get(key);
    if (known && known.untilMs > Date.now()) return known.person;

    const person = this.#look(token);
    if (this.#known.size >= REMEMBER_AT_MOST) this.#known.clear();
    this.#known.set(key, { person, untilMs: Math.min(Date.now() + REMEMBER_MS, expiryMs(token)) });
    // A refusal is not remembered: the auth server may have been down, or the profile not there yet.
    person.catch(() => this.#known.delete(key));
    return person;
  }

  /** A hanging auth server must not hang everybody who asks. */
  async #verify(token: string): ReturnType<SupabaseClient['auth']['getUser']> {
    const late = Promise.withResolvers<never>();
    const timer = setTimeout(
      () => late.reject(new FloorwalkerError('database_unavailable')),
      VERIFY_WITHIN_MS,
    );
    try {
      return await Promise.race([this.#verifier.auth.getUser(token), late.promise]);
    } finally {
      clearTimeout(timer);
    }
  }

  async #look(token: string): Promise<Person> {
    const { data, error } = await this.#verify(token);
    if (error) {
      if (error.status !== undefined && error.status >= 400 && error.status < 500) {
        throw new FloorwalkerError('unauthenticated', 'The access token is not valid or has expired.');
      }
      throw new FloorwalkerError('database_unavailable', 'The auth server could not be asked.', {
        cause: error,
      });
    }
    // A password alone opens nothing where the account has a second factor, whichever page or program asks.
    const hasFactor = data.user.factors?.some(({ status }) => status === 'verified') ?? false;
    if (hasFactor && claimsOf(token)?.aal !== 'aal2') throw new FloorwalkerError('second_factor_required');
    const db = this.#clientFor(token);
    const profile = await db
      .from('users')
      .select('id, business_id, role, name')
      .eq('id', data.user.id)
      .is('deleted_at', null)
      .maybeSingle();
    if (profile.error) throw databaseError(profile.error, profile.status, 'users');
    if (profile.data === null) throw new FloorwalkerError('not_a_member');
    const { id, business_id, role, name } = profileSchema.parse(profile.data);
    return { id, businessId: business_id, role, name, db, tokenExpiresAtMs: expiryMs(token) };
  }
}

const BEARER = /^Bearer ([A-Za-z0-9._~+/=-]{1,8192})$/i;

/** Puts the signed-in person on the request, or refuses it. */
export function signedIn(people: People): MiddlewareHandler<ApiEnv> {
  return async (context, next) => {
    const token = BEARER.exec(context.req.header('authorization') ?? '')?.[1];
    if (token === undefined) {
      throw new FloorwalkerError('unauthenticated', 'Send a Supabase access token as a bearer token.');
    }
    const person = await people.of(token);
    context.set('person', person);
    context.set('log', context.get('log').child({ personId: person.id }));
    await next();
  };
}
