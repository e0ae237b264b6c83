import { randomBytes, randomUUID } from 'node:crypto';
import { copyFile, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import postgres, { type Sql } from 'postgres';
import { afterEach, beforeEach, describe, expect, inject, it, vi } from 'vitest';
import { SNAPSHOT_FILE, schemaSnapshot } from '../../scripts/schema-snapshot.ts';
import { runMigrate } from '../../src/cli/migrate.ts';
import { migrate, migrationState, readMigrations } from '../../src/database/migrate.ts';
import { startPostgres } from '../../src/embedded/postgres.ts';
import { createLog } from '../../src/log.ts';

const MIGRATIONS = fileURLToPath(new URL('../../migrations/', import.meta.url));
const log = createLog({ level: 'silent' });
const names = async () => (await readMigrations()).map(({ name }) => name);

let url: string;
let sql: Sql;
let admin: Sql;
let databaseName: string;

beforeEach(async () => {
  databaseName = `migrate_${randomBytes(6).toString('hex')}`;
  admin = postgres(inject('postgresUrl'), { max: 1, onnotice: () => {} });
  await admin.unsafe(`create database ${databaseName}`);
  const address = new URL(inject('postgresUrl'));
  address.pathname = `/${databaseName}`;
  url = address.href;
  sql = postgres(url, { max: 2, onnotice: () => {} });
});
afterEach(async () => {
  vi.restoreAllMocks();
  await sql.end({ timeout: 2 });
  await admin.unsafe(`drop database ${databaseName} with (force)`);
  await admin.end();
});

/** A copy of the migrations that a test may change. */
async function copyMigrations(): Promise<string> {
  const directory = await mkdtemp(join(tmpdir(), 'floorwalker-migrations-'));
  for (const file of await readdir(MIGRATIONS)) await copyFile(join(MIGRATIONS, file), join(directory, file));
  return directory;
}

const tableNames = async (from: Sql) =>
  (await from`select relname from pg_class where relkind = 'r' and relnamespace = 'public'::regnamespace`)
    .length;

describe('migrating', () => {
  it('applies everything once, then nothing', async () => {
    expect(await migrate(url, { log })).toEqual({ applied: await names() });
    expect(await migrate(url, { log })).toEqual({ applied: [] });
    const [version] = await sql`select schema_version() as v`;
    expect(version?.v).toBe((await readMigrations()).at(-1)?.version);
  });

  it('is safe for five at once: each migration is applied by exactly one', async () => {
    const results = await Promise.all(Array.from({ length: 5 }, () => migrate(url, { log })));
    expect(results.flatMap(({ applied }) => applied).sort()).toEqual(await names());
  });

  it('applies only what is missing, also beside a database in use', async () => {
    const directory = await copyMigrations();
    try {
      await migrate(url, { log, directory });
      await writeFile(join(directory, '9001_note.sql'), 'create table public.note (id integer);');
      // A worker in the middle of a transaction that the migration does not touch.
      await sql.begin(async (worker) => {
        await worker`select count(*) from interactions`;
        expect(await migrate(url, { log, directory })).toEqual({ applied: ['9001_note.sql'] });
      });
    } finally {
      await rm(directory, { recursive: true });
    }
  });

  it('refuses a database that a newer version has migrated, and changes nothing', async () => {
    await migrate(url, { log });
    await sql`insert into floorwalker.migrations (version, name, checksum) values (9999, '9999_future.sql', 'x')`;
    await expect(migrate(url, { log })).rejects.toMatchObject({
      code: 'schema_too_new',
      details: { migration: '9999_future.sql' },
    });
    await sql`delete from floorwalker.migrations where version between 2 and 9998`;
    const before = await tableNames(sql);
    await expect(migrate(url, { log })).rejects.toMatchObject({ code: 'schema_too_new' });
    expect(await tableNames(sql)).toBe(before);
  });

  it('refuses a migration that was edited after it had been applied', async () => {
    const directory = await copyMigrations();
    try {
      await migrate(url, { log, directory });
      const file = join(directory, '0003_agents.sql');
      await writeFile(file, `${await readFile(file, 'utf8')}\n-- edited`);
      await expect(migrate(url, { log, directory })).rejects.toMatchObject({ code: 'migration_changed' });
    } finally {
      await rm(directory, { recursive: true });
    }
  });

  it('applies a migration whole or not at all, and says which one failed', async () => {
    const directory = await copyMigrations();
    try {
      await migrate(url, { log, directory });
      await writeFile(
        join(directory, '9001_half.sql'),
        'create table public.half (id integer); select 1 / 0;',
      );
      const attempt = migrate(url, { log, directory });
      await expect(attempt).rejects.toMatchObject({
        code: 'migration_failed',
        message: expect.stringContaining('9001_half.sql'),
      });
      const [row] =
        await sql`select to_regclass('public.half') as half, (select count(*)::int from floorwalker.migrations where version = 9001) as rows`;
      expect(row).toEqual({ half: null, rows: 0 });
    } finally {
      await rm(directory, { recursive: true });
    }
  });

  it('says so when the database can not be reached', async () => {
    const attempt = migrate('postgres://nobody@127.0.0.1:1/nothing', { log });
    await expect(attempt).rejects.toMatchObject({
      code: 'database_unavailable',
      remedy: expect.stringContaining('DATABASE_URL'),
    });
    const missing = new URL(url);
    missing.pathname = '/not_there';
    await expect(migrate(missing.href, { log })).rejects.toMatchObject({ code: 'database_unavailable' });
  });

  it('matches the committed snapshot; after a change run `node scripts/schema-snapshot.ts`', async () => {
    await migrate(url, { log });
    expect(await schemaSnapshot(sql)).toBe(await readFile(SNAPSHOT_FILE, 'utf8'));
  });
});

describe('the kinds of database', () => {
  it('plain PostgreSQL gets the roles and the auth schema it lacks, and the rules hold', async () => {
    // A cluster of its own: roles belong to the cluster, and the shared one has them.
    const dataDir = await mkdtemp(join(tmpdir(), 'floorwalker-plain-'));
    const server = await startPostgres({
      dataDir,
      password: randomUUID(),
      temporary: true,
      settings: { fsync: 'off' },
    });
    const plain = postgres(server.url, { max: 1, onnotice: () => {} });
    try {
      const [before] =
        await plain`select count(*)::int as n from pg_roles where rolname in ('anon', 'authenticated', 'service_role')`;
      expect(before).toEqual({ n: 0 });
      expect(await migrate(server.url, { log })).toEqual({ applied: await names() });
      const [id, supervisorId] = [randomUUID(), randomUUID()];
      await plain`insert into auth.users (id, email) values (${id}, 'a@example.com'), (${supervisorId}, 's@example.com')`;
      const [business] =
        await plain`select create_business('{"name": "Shop", "slug": "shop"}') ->> 'business_id' as id`;
      for (const user of [
        { id, business_slug: 'shop', email: 'a@example.com', role: 'admin', name: 'A' },
        {
          id: supervisorId,
          business_slug: 'shop',
          email: 's@example.com',
          role: 'supervisor',
          name: 'S',
          username: 's',
          supervisor_type: 'chat',
        },
      ]) {
        await plain`select register_user(${plain.json(user)})`;
      }
      const as = (role: string, sub: string | null, query: string) =>
        plain.begin(async (transaction) => {
          await transaction`select set_config('request.jwt.claims', ${JSON.stringify({ sub })}, true)`;
          await transaction.unsafe(`set local role ${role}`);
          return transaction.unsafe(query);
        });
      expect(await as('authenticated', id, 'select id from businesses')).toEqual([{ id: business?.id }]);
      expect(await as('authenticated', id, 'select id from users')).toHaveLength(2);
      expect(await as('authenticated', supervisorId, 'select id from users')).toHaveLength(1);
      expect(await as('service_role', null, 'select id from users')).toHaveLength(2);
      await expect(as('anon', null, 'select id from businesses')).rejects.toMatchObject({ code: '42501' });
      await expect(as('authenticated', id, 'delete from businesses')).rejects.toMatchObject({
        code: '42501',
      });
    } finally {
      await plain.end();
      await server.stop();
    }
  });

  it('a Supabase project, where another role owns auth and new objects are open to all by default', async () => {
    const owner = `owner_${randomBytes(4).toString('hex')}`;
    await admin.unsafe(`create role ${owner} login createrole password 'x'`);
    try {
      await sql.unsafe(`
        create schema auth;
        create table auth.users (id uuid primary key, email text);
        create function auth.uid() returns uuid language sql stable as
          $$ select nullif(current_setting('request.jwt.claim.sub', true), '')::uuid $$;
        grant usage on schema auth to ${owner}, anon, authenticated, service_role;
        grant select, references on auth.users to ${owner};
        grant all on schema public to ${owner};
        grant create on database ${databaseName} to ${owner};
        alter default privileges for role ${owner} in schema public grant all on tables to anon, authenticated, service_role;
        alter default privileges for role ${owner} in schema public grant all on sequences to anon, authenticated, service_role;
        alter default privileges for role ${owner} in schema public grant all on functions to anon, authenticated, service_role;`);
      const ownerUrl = new URL(url);
      ownerUrl.username = owner;
      ownerUrl.password = 'x';
      expect(await migrate(ownerUrl.href, { log })).toEqual({ applied: await names() });
      const open = await sql`
        select p.oid::regprocedure::text as name from pg_proc p
        where p.pronamespace in ('public'::regnamespace, 'floorwalker'::regnamespace)
          and has_function_privilege('anon', p.oid, 'execute')`;
      expect([...open]).toEqual([]);
      const readable = await sql`
        select c.relname from pg_class c where c.relkind in ('r', 'v') and c.relnamespace = 'public'::regnamespace
          and (has_table_privilege('anon', c.oid, 'select') or has_table_privilege('authenticated', c.oid, 'insert, update, delete, truncate'))`;
      expect([...readable]).toEqual([]);
    } finally {
      await sql.unsafe(`drop owned by ${owner} cascade`);
      await admin.unsafe(`drop role ${owner}`);
    }
  });
});

describe('floorwalker migrate', () => {
  it('says what it applied, and with --check what is missing', async () => {
    const lines: string[] = [];
    vi.spyOn(console, 'log').mockImplementation((line: string) => void lines.push(line));
    expect(await runMigrate(['--check'], { databaseUrl: url }, log)).toBe(1);
    expect(await runMigrate([], { databaseUrl: url }, log)).toBe(0);
    expect(await runMigrate(['--check'], { databaseUrl: url }, log)).toBe(0);
    expect(lines).toContain(`applied ${(await names())[0]}`);
    expect(lines.at(-1)).toMatch(/^\d+ migrations applied, 0 missing$/);
    expect(await migrationState(url)).toEqual({ applied: await names(), pending: [] });
  });

  it('refuses to guess: no database, an unknown option', async () => {
    vi.spyOn(console, 'log').mockImplementation(() => {});
    await expect(runMigrate([], { databaseUrl: undefined }, log)).rejects.toMatchObject({
      code: 'config_invalid',
    });
    expect(await runMigrate(['--down'], { databaseUrl: url }, log)).toBe(2);
  });
});
