import { type AuthError, type Session as AuthSession, GoTrueClient } from '@supabase/auth-js';
import { Problem } from '../client/problem.ts';
import type { Settings } from './settings.ts';

/**
 * `second-factor`: the password was right and the account has a verified authenticator app.
 * `new-password`: they came by an invitation or a recovery link.
 */
export type SessionState =
  | { readonly kind: 'loading' }
  | { readonly kind: 'signed-out'; readonly reason?: string }
  | { readonly kind: 'second-factor'; readonly factorId: string }
  | { readonly kind: 'new-password' }
  | { readonly kind: 'signed-in'; readonly userId: string };

type Wait = () => void;

/** Renewed this long before it ends: a request on a slow line must still arrive in time. */
const RENEW_BEFORE_MS = 60_000;

/** Who uses this browser, kept and renewed by Supabase Auth's own client (which also keeps several tabs in step). */
export class Session {
  readonly #auth: GoTrueClient;
  readonly #waiting = new Set<Wait>();
  readonly #renewed = new Set<Wait>();
  readonly #cameByLink: boolean;
  #state: SessionState = { kind: 'loading' };
  #token: string | undefined;

  constructor(settings: Settings) {
    // Before the client below takes it out of the address.
    this.#cameByLink = /[#&]type=(invite|recovery)(&|$)/.test(location.hash);
    this.#auth = new GoTrueClient({
      url: `${settings.supabase_url.replace(/\/$/, '')}/auth/v1`,
      headers: { apikey: settings.publishable_key, authorization: `Bearer ${settings.publishable_key}` },
      storageKey: 'floorwalker.session',
      autoRefreshToken: true,
      persistSession: true,
      detectSessionInUrl: true,
      flowType: 'implicit',
    });
    this.#auth.onAuthStateChange((_event, session) => {
      // Supabase Auth holds a lock while it tells us: what asks it again has to wait until it has.
      setTimeout(() => void this.#follow(session), 0);
    });
  }

  readonly subscribe = (wait: Wait): (() => void) => {
    this.#waiting.add(wait);
    return () => this.#waiting.delete(wait);
  };

  /** Told when another token is in use: what was opened with the old one should be opened anew. */
  readonly onRenewed = (told: Wait): (() => void) => {
    this.#renewed.add(told);
    return () => this.#renewed.delete(told);
  };

  readonly state = (): SessionState => this.#state;

  /** @throws Problem when nobody is signed in (any more) */
  readonly accessToken = async (): Promise<string> => {
    const { data, error } = await this.#auth.getSession();
    if (data.session) {
      const endsAt = (data.session.expires_at ?? 0) * 1_000;
      if (endsAt - Date.now() > RENEW_BEFORE_MS) return data.session.access_token;
      const renewed = await this.#auth.refreshSession();
      if (renewed.data.session) return renewed.data.session.access_token;
      // Still good for a moment, and the auth server may be back by then.
      if (endsAt > Date.now()) return data.session.access_token;
      if (renewed.error && isOutage(renewed.error)) throw unreachable();
    }
    if (error && isOutage(error)) throw unreachable();
    this.#set({ kind: 'signed-out', reason: 'Your session has ended. Please sign in again.' });
    throw new Problem(401, 'unauthenticated', 'Your session has ended.');
  };

  async signIn(email: string, password: string): Promise<void> {
    const { error } = await this.#auth.signInWithPassword({ email, password });
    if (error) throw signInProblem(error);
  }

  async verifySecondFactor(factorId: string, code: string): Promise<void> {
    const { error } = await this.#auth.mfa.challengeAndVerify({ factorId, code });
    if (error) throw signInProblem(error);
  }

  async setPassword(password: string): Promise<void> {
    const { data, error } = await this.#auth.updateUser({ password });
    if (error) throw signInProblem(error);
    this.#set({ kind: 'signed-in', userId: data.user.id });
  }

  /** Only this browser: a supervisor may be at work in another one. */
  async signOut(): Promise<void> {
    await this.#auth.signOut({ scope: 'local' });
  }

  async #follow(session: AuthSession | null): Promise<void> {
    const before = this.#token;
    this.#token = session?.access_token;
    if (session === null) {
      if (this.#state.kind !== 'signed-out') this.#set({ kind: 'signed-out' });
      return;
    }
    if (this.#state.kind === 'loading' && this.#cameByLink) {
      this.#set({ kind: 'new-password' });
      return;
    }
    if (this.#state.kind === 'new-password') return;
    const missing = await this.#missingFactor(session);
    if (missing !== undefined) {
      this.#set(missing);
      return;
    }
    const userId = session.user.id;
    if (this.#state.kind !== 'signed-in' || this.#state.userId !== userId) {
      this.#set({ kind: 'signed-in', userId });
    } else if (before !== this.#token) {
      for (const told of this.#renewed) told();
    }
  }

  /** What this session still has to be confirmed with. When that can't be told, it is not let in. */
  async #missingFactor({ user }: AuthSession): Promise<SessionState | undefined> {
    const factors = (user.factors ?? []).filter(({ status }) => status === 'verified');
    const level = await this.#auth.mfa.getAuthenticatorAssuranceLevel();
    if (level.error)
      return { kind: 'signed-out', reason: 'Your sign-in could not be checked. Please try again.' };
    const { currentLevel, nextLevel } = level.data;
    if (currentLevel === 'aal2' || (nextLevel !== 'aal2' && factors.length === 0)) return undefined;
    const app = factors.find(({ factor_type }) => factor_type === 'totp');
    if (app) return { kind: 'second-factor', factorId: app.id };
    const reason =
      'Your account’s second factor is none that this page can ask for: it needs an authenticator app.';
    return { kind: 'signed-out', reason };
  }

  #set(state: SessionState): void {
    this.#state = state;
    for (const wait of this.#waiting) wait();
  }
}

function isOutage(error: AuthError): boolean {
  return error.status === undefined || error.status === 0 || error.status >= 500;
}

function unreachable(): Problem {
  return new Problem(0, 'unreachable', 'The sign-in server could not be reached.', 'Check the connection.');
}

function signInProblem(error: AuthError): Problem {
  if (isOutage(error)) return unreachable();
  if (error.status === 429) {
    return new Problem(429, 'rate_limited', 'Too many attempts.', 'Wait a minute and try again.');
  }
  if (error.code === 'mfa_verification_failed') {
    return new Problem(422, error.code, 'This code is not right, or it has expired.');
  }
  if (error.code === 'weak_password') return new Problem(422, error.code, error.message);
  if (error.code === 'same_password') return new Problem(422, error.code, 'Choose a password that is new.');
  // Whether the address exists is nobody's business.
  return new Problem(400, 'invalid_credentials', 'E-mail address or password is not right.');
}
