import { randomBytes } from 'node:crypto';
import { createClient, type SupabaseClient } from '@supabase/supabase-js';
import postgres, { type Sql } from 'postgres';
import { inject } from 'vitest';
import { generateSupabaseKeys, type SupabaseKeys, startSupabase } from '../../src/embedded/supabase.ts';
import { createFixtures, type Fixtures } from './fixtures.ts';
import { TEMPLATE } from './template.ts';

export interface TestDatabase extends Fixtures {
  /** The superuser's address of this database. */
  readonly databaseUrl: string;
  readonly supabaseUrl: string;
  readonly secretKey: string;
  readonly publishableKey: string;
  /** What this database's tokens are signed with. */
  readonly jwtSecret: string;
  /** A client with the secret key. */
  readonly service: SupabaseClient;
  /** A client with the publishable key and nobody signed in. */
  readonly anonymous: SupabaseClient;
  /** Past REST and row level security, as superuser. */
  readonly sql: Sql;
  stop(): Promise<void>;
}

/**
 * A database of its own, migrated and empty, with its own REST and Auth server in front. Call it in `beforeAll` and
 * `stop` in `afterAll`.
 */
export async function setupDatabase(): Promise<TestDatabase> {
  const name = `test_${randomBytes(8).toString('hex')}`;
  const admin = postgres(inject('postgresUrl'), { max: 1, onnotice: () => {} });
  await admin.unsafe(`create database ${name} template ${TEMPLATE}`);
  const url = new URL(inject('postgresUrl'));
  url.pathname = `/${name}`;
  const databaseUrl = url.href;
  const keys = await generateSupabaseKeys();
  const supabase = await startSupabase({ databaseUrl, keys });
  return openDatabase({ databaseUrl, supabaseUrl: supabase.url, keys }, async (end) => {
    await supabase.stop();
    await end();
    await admin.unsafe(`drop database if exists ${name} with (force)`);
    await admin.end();
  });
}

/** @param stop takes down what is behind it; in the midst of that it calls what it is given, which ends our own connections. */
export function openDatabase(
  place: { databaseUrl: string; supabaseUrl: string; keys: SupabaseKeys },
  stop: (end: () => Promise<void>) => Promise<void>,
): TestDatabase {
  const { databaseUrl, supabaseUrl, keys } = place;
  const sql = postgres(databaseUrl, { max: 5, onnotice: () => {} });
  const client = (key: string) =>
    createClient(supabaseUrl, key, { auth: { persistSession: false, autoRefreshToken: false } });
  const service = client(keys.secretKey);
  const signIn = async (email: string, password: string) => {
    const signedIn = client(keys.publishableKey);
    const { error, data } = await signedIn.auth.signInWithPassword({ email, password });
    if (error) throw error;
    return { client: signedIn, accessToken: data.session.access_token };
  };
  return {
    databaseUrl,
    supabaseUrl,
    secretKey: keys.secretKey,
    publishableKey: keys.publishableKey,
    jwtSecret: keys.jwtSecret,
    service,
    anonymous: client(keys.publishableKey),
    sql,
    ...createFixtures({ service, sql, signIn }),
    stop: () => stop(() => sql.end({ timeout: 2 })),
  };
}
