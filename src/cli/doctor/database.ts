import postgres from 'postgres';
import { z } from 'zod';
import type { Config } from '../../config.ts';
import { createServiceClient } from '../../database/client.ts';
import { readMigrations } from '../../database/migrate.ts';
import { callFunction } from '../../database/rpc.ts';
import { isFloorwalkerError } from '../../errors.ts';
import { CHECK_TIMEOUT_MS, describeError, type Finding, Findings } from './check.ts';

/** The REST address, both keys, and whether the schema is this version's. `usable`: agents can be read. */
export async function checkDatabase(
  settings: Config['supabase'],
): Promise<{ findings: readonly Finding[]; usable: boolean }> {
  const findings = new Findings('database');
  const usable = await checkSchema(settings, findings);
  if (usable) {
    await checkSecretKey(settings, findings);
    await checkPublishableKey(settings, findings);
  }
  return { findings: findings.list, usable };
}

async function checkSchema(settings: Config['supabase'], findings: Findings): Promise<boolean> {
  const migrations = await readMigrations();
  const mine = Math.max(0, ...migrations.map(({ version }) => version));
  let version: number;
  try {
    version = await callFunction(createServiceClient(settings), 'schema_version', {}, z.coerce.number());
  } catch (error) {
    if (isFloorwalkerError(error, 'schema_outdated')) {
      findings.ok('SUPABASE_URL', `${settings.url} answers`);
      findings.fail('schema', 'is not there', 'Run `floorwalker migrate` with DATABASE_URL set.');
    } else if (isFloorwalkerError(error, 'unauthenticated') || isFloorwalkerError(error, 'not_allowed')) {
      findings.fail(
        'SUPABASE_SECRET_KEY',
        `${settings.url} does not accept it`,
        'Copy the secret key of this very project (Project Settings → API keys), not the publishable one.',
      );
    } else {
      findings.fail(
        'SUPABASE_URL',
        `${settings.url} can not be reached (${describeError(error)})`,
        'Check the address and whether the project is paused; for a local try run `npm run demo`.',
      );
    }
    return false;
  }
  findings.ok('SUPABASE_URL', `${settings.url} answers`);
  if (version === mine) {
    findings.ok('schema', `is at version ${version}, as this program needs it`);
  } else if (version < mine) {
    findings.fail(
      'schema',
      `is at version ${version}; this program needs ${mine}`,
      'Run `floorwalker migrate` with DATABASE_URL set. It is safe while workers run.',
    );
  } else {
    findings.fail(
      'schema',
      `is at version ${version}, newer than ${mine}, the last that this program knows`,
      'Update Floorwalker here, or use the database that belongs to this version.',
    );
  }
  return true;
}

async function checkSecretKey(settings: Config['supabase'], findings: Findings): Promise<void> {
  // A publishable key reaches schema_version too, and would see every table empty: only its role tells.
  const { error } = await createServiceClient(settings)
    .rpc('claimable_interactions', { p_limit: 0 })
    .abortSignal(AbortSignal.timeout(CHECK_TIMEOUT_MS));
  if (error === null) {
    findings.ok('SUPABASE_SECRET_KEY', 'is accepted and may do what a worker does');
  } else {
    findings.fail(
      'SUPABASE_SECRET_KEY',
      `may not do what a worker does (${error.message})`,
      'Use the secret key (or service_role key), not the publishable one.',
    );
  }
}

async function checkPublishableKey(settings: Config['supabase'], findings: Findings): Promise<void> {
  const { publishableKey } = settings;
  if (publishableKey === undefined) return;
  if (publishableKey === settings.secretKey) {
    findings.fail(
      'SUPABASE_PUBLISHABLE_KEY',
      'is the secret key, and web pages are given it',
      'Use the publishable (anon) key, and replace the secret key if it was ever given out.',
    );
    return;
  }
  const { data, error } = await createServiceClient({ url: settings.url, secretKey: publishableKey })
    .from('agents')
    .select('id')
    .limit(1)
    .abortSignal(AbortSignal.timeout(CHECK_TIMEOUT_MS));
  if (error === null && data.length > 0) {
    findings.fail(
      'SUPABASE_PUBLISHABLE_KEY',
      'reads agents without anybody signed in',
      'Use the publishable (anon) key; if it is, run `floorwalker migrate`: row-level security is off.',
    );
  } else if (error !== null && /api ?key|jwt/i.test(error.message)) {
    findings.fail(
      'SUPABASE_PUBLISHABLE_KEY',
      `is not accepted (${error.message})`,
      'Copy it from Project Settings → API keys of this very project.',
    );
  } else {
    findings.ok('SUPABASE_PUBLISHABLE_KEY', 'is accepted and sees nothing without a signed-in person');
  }
}

/** The direct connection that `floorwalker migrate` uses. */
export async function checkDatabaseUrl(databaseUrl: string): Promise<readonly Finding[]> {
  const findings = new Findings('database');
  const sql = openQuietly(databaseUrl);
  try {
    if (sql === undefined)
      throw new Error('it is not an address such as postgresql://user:password@host:5432/db');
    const [row] = await sql<{ may: boolean }[]>`
      select has_database_privilege(current_user, current_database(), 'create') as may`;
    if (row?.may === true) findings.ok('DATABASE_URL', 'connects, and may change the schema');
    else {
      findings.fail(
        'DATABASE_URL',
        'connects, but may not change the schema',
        'Use the owner of the database; on Supabase that is the user "postgres".',
      );
    }
  } catch (error) {
    findings.fail(
      'DATABASE_URL',
      `does not connect (${describeError(error)})`,
      'Copy the connection string from Project Settings → Database, with the password filled in.',
    );
  } finally {
    await sql?.end({ timeout: 1 });
  }
  return findings.list;
}

function openQuietly(databaseUrl: string): postgres.Sql | undefined {
  try {
    return postgres(databaseUrl, { max: 1, connect_timeout: CHECK_TIMEOUT_MS / 1000, onnotice: () => {} });
  } catch {
    return undefined;
  }
}
