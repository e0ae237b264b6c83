import { createHash } from 'node:crypto';
import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import postgres from 'postgres';
import { FloorwalkerError } from '../errors.ts';
import type { Log } from '../log.ts';

const MIGRATIONS_DIR = fileURLToPath(new URL('../../migrations/', import.meta.url));

/** A number of our own for pg_advisory_xact_lock, so that two migrators take turns. */
const LOCK_KEY = 0x666c_6f6f72;

/** Long enough for running transactions to end, short enough not to hold the workers up behind us. */
const LOCK_TIMEOUT = '30s';

export interface Migration {
  readonly version: number;
  readonly name: string;
  readonly sql: string;
  readonly checksum: string;
}

/** The migrations of this version of the program, in order. */
export async function readMigrations(directory: string = MIGRATIONS_DIR): Promise<Migration[]> {
  const files = (await readdir(directory)).filter((file) => /^\d{4}_\w+\.sql$/.test(file)).sort();
  return Promise.all(
    files.map(async (file) => {
      const sql = await readFile(join(directory, file), 'utf8');
      return {
        version: Number(file.slice(0, 4)),
        name: file,
        sql,
        checksum: createHash('sha256').update(sql).digest('hex'),
      };
    }),
  );
}

interface AppliedRow {
  version: number;
  name: string;
  checksum: string;
}

type Connection = postgres.Sql | postgres.TransactionSql;

async function readApplied(sql: Connection): Promise<AppliedRow[]> {
  // Not to_regclass: it may still answer from before we waited for another migrator.
  const [there] = await sql<{ there: boolean }[]>`
    select exists (
      select from pg_class c join pg_namespace n on n.oid = c.relnamespace
      where n.nspname = 'floorwalker' and c.relname = 'migrations'
    ) as there`;
  if (!there?.there) return [];
  return sql<AppliedRow[]>`select version, name, checksum from floorwalker.migrations order by version`;
}

/** @throws FloorwalkerError `schema_too_new`, `migration_changed` */
function checkApplied(applied: readonly AppliedRow[], known: readonly Migration[]): void {
  for (const { version, name, checksum } of applied) {
    const mine = known.find((migration) => migration.version === version);
    if (mine === undefined) {
      throw new FloorwalkerError(
        'schema_too_new',
        `The database has migration ${name}, which this version does not know.`,
        { details: { migration: name } },
      );
    }
    if (mine.checksum !== checksum) {
      throw new FloorwalkerError('migration_changed', `${mine.name} is not what was applied as ${name}.`, {
        details: { migration: name },
      });
    }
  }
}

/** One migration in one transaction. The row goes in first: a second migrator sees it and leaves. */
async function applyOne(
  sql: postgres.Sql,
  migration: Migration,
  known: readonly Migration[],
): Promise<boolean> {
  return sql.begin(async (transaction) => {
    await transaction`select pg_advisory_xact_lock(${LOCK_KEY})`;
    await transaction.unsafe(`set local lock_timeout = '${LOCK_TIMEOUT}'`);
    const applied = await readApplied(transaction);
    checkApplied(applied, known);
    if (applied.some(({ version }) => version === migration.version)) return false;
    await transaction.unsafe(`
      create schema if not exists floorwalker;
      create table if not exists floorwalker.migrations (
        version integer primary key,
        name text not null,
        checksum text not null,
        applied_at timestamptz not null default now()
      )`);
    const { version, name, checksum } = migration;
    await transaction`insert into floorwalker.migrations ${transaction({ version, name, checksum })}`;
    await transaction.unsafe(migration.sql);
    // PostgREST reads the schema anew; without one nobody listens.
    await transaction.unsafe(`notify pgrst, 'reload schema'`);
    return true;
  });
}

function connectionProblem(error: unknown): boolean {
  const code = error instanceof Error && 'code' in error ? String(error.code) : '';
  return /^(E[A-Z]+|CONNECT.*|CONNECTION.*|08...|28...|3D000|57P0.|53...)$/.test(code);
}

function explain(error: unknown, migration: string | undefined): FloorwalkerError {
  if (error instanceof FloorwalkerError) return error;
  const message = error instanceof Error ? error.message : String(error);
  if (connectionProblem(error)) {
    return new FloorwalkerError('database_unavailable', `The database can not be reached: ${message}`, {
      cause: error,
      remedy: 'Check DATABASE_URL: host, port, name, user and password of the database itself.',
    });
  }
  const where = migration === undefined ? '' : `${migration}: `;
  return new FloorwalkerError('migration_failed', `${where}${message}`, { cause: error });
}

/**
 * Brings a database up to the schema of this version. Safe to repeat, for two at once, and while workers run;
 * each migration is applied whole or not at all.
 *
 * @throws FloorwalkerError `database_unavailable`, `schema_too_new`, `migration_changed`, `migration_failed`
 */
export async function migrate(
  databaseUrl: string,
  options: { log: Log; directory?: string },
): Promise<{ applied: string[] }> {
  const { log, directory } = options;
  const known = await readMigrations(directory);
  // Unprepared, so that it also works through a connection pooler in transaction mode.
  const sql = postgres(databaseUrl, { max: 1, prepare: false, connect_timeout: 10, onnotice: () => {} });
  const applied: string[] = [];
  let current: string | undefined;
  try {
    const already = await readApplied(sql);
    checkApplied(already, known);
    const done = new Set(already.map(({ version }) => version));
    for (const migration of known) {
      if (done.has(migration.version)) continue;
      current = migration.name;
      if (!(await applyOne(sql, migration, known))) continue;
      applied.push(migration.name);
      log.info({ migration: migration.name }, 'migration applied');
    }
    return { applied };
  } catch (error) {
    throw explain(error, current);
  } finally {
    await sql.end({ timeout: 5 });
  }
}

/** What is applied and what is missing, for `floorwalker doctor`. @throws as {@link migrate} */
export async function migrationState(databaseUrl: string): Promise<{ applied: string[]; pending: string[] }> {
  const known = await readMigrations();
  const sql = postgres(databaseUrl, { max: 1, prepare: false, connect_timeout: 10, onnotice: () => {} });
  try {
    const rows = await readApplied(sql);
    checkApplied(rows, known);
    const done = new Set(rows.map(({ version }) => version));
    return {
      applied: rows.map(({ name }) => name),
      pending: known.filter(({ version }) => !done.has(version)).map(({ name }) => name),
    };
  } catch (error) {
    throw explain(error, undefined);
  } finally {
    await sql.end({ timeout: 5 });
  }
}
