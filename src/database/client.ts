import { createClient, type SupabaseClient } from '@supabase/supabase-js';
import type { Config } from '../config.ts';
import { FloorwalkerError } from '../errors.ts';

export type Database = SupabaseClient;
type SupabaseSettings = Config['supabase'];

// A server process has no browser storage, and its tokens are refreshed by whoever signed in.
const STATELESS = { persistSession: false, autoRefreshToken: false, detectSessionInUrl: false } as const;

/** The client of workers and commands: the secret key, past row-level security. Never give it to a page. */
export function createServiceClient(settings: Pick<SupabaseSettings, 'url' | 'secretKey'>): Database {
  return createClient(settings.url, settings.secretKey, { auth: STATELESS });
}

/**
 * A client that acts as the signed-in person whose token it carries; what it sees is what they may see.
 *
 * @throws FloorwalkerError `config_invalid` without a publishable key.
 */
export function createUserClient(
  settings: Pick<SupabaseSettings, 'url' | 'publishableKey'>,
  accessToken: string,
): Database {
  if (settings.publishableKey === undefined) {
    throw new FloorwalkerError(
      'config_invalid',
      'SUPABASE_PUBLISHABLE_KEY is not set; signed-in people need it.',
    );
  }
  return createClient(settings.url, settings.publishableKey, {
    auth: STATELESS,
    global: { headers: { Authorization: `Bearer ${accessToken}` } },
  });
}
