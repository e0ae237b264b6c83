import { existsSync } from 'node:fs';
import { mkdtemp, readdir, readFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import postgres from 'postgres';
import type { TestProject } from 'vitest/node';
import { findLiveKitServer } from '../../src/embedded/livekit-binary.ts';
import { startLiveKit } from '../../src/embedded/livekit-server.ts';
import { type EmbeddedPostgres, startPostgres } from '../../src/embedded/postgres.ts';
import { prepareDatabase } from '../../src/embedded/supabase.ts';
import { createLog } from '../../src/log.ts';
import { TEMPLATE } from './template.ts';

declare module 'vitest' {
  export interface ProvidedContext {
    /** The superuser's address of the run's PostgreSQL, database `postgres`. */
    postgresUrl: string;
    /** Null when no `livekit-server` was found. */
    livekit: { url: string; apiKey: string; apiSecret: string } | null;
  }
}

const MIGRATIONS = new URL('../../migrations/', import.meta.url);
const MIGRATE = new URL('../../src/database/migrate.ts', import.meta.url);

function databaseUrl(server: EmbeddedPostgres, name: string): string {
  const url = new URL(server.url);
  url.pathname = `/${name}`;
  return url.href;
}

async function makeTemplate(server: EmbeddedPostgres): Promise<void> {
  const sql = postgres(server.url, { max: 1, onnotice: () => {} });
  try {
    await sql.unsafe(`create database ${TEMPLATE}`);
    const url = databaseUrl(server, TEMPLATE);
    await prepareDatabase(url);
    await migrateTemplate(url);
    await sql.unsafe(`alter database ${TEMPLATE} with is_template true allow_connections false`);
  } finally {
    await sql.end();
  }
}

async function migrateTemplate(url: string): Promise<void> {
  if (existsSync(MIGRATE)) {
    const { migrate } = await import(MIGRATE.href);
    await migrate(url, { log: createLog({ level: 'silent' }) });
    return;
  }
  const sql = postgres(url, { max: 1, onnotice: () => {} });
  for (const file of (await readdir(MIGRATIONS)).filter((name) => name.endsWith('.sql')).sort()) {
    await sql.unsafe(await readFile(new URL(file, MIGRATIONS), 'utf8')).simple();
  }
  await sql.end();
}

/** One PostgreSQL and one LiveKit for the whole run. Both end with this process, also when it is killed. */
export default async function setup(project: TestProject): Promise<() => Promise<void>> {
  const dataDir = await mkdtemp(join(tmpdir(), 'floorwalker-test-'));
  const [server, livekit] = await Promise.all([
    startPostgres({
      dataDir,
      password: crypto.randomUUID(),
      temporary: true,
      settings: {
        fsync: 'off',
        synchronous_commit: 'off',
        full_page_writes: 'off',
        log_statement: 'none',
        // One test brings 250 connections of its own, beside those of the tests that run at the same time.
        max_connections: '450',
      },
    }),
    findLiveKitServer(process.env).then((found) => (found ? startLiveKit({ binary: found.path }) : null)),
  ]);
  const stop = async () => {
    await Promise.all([server.stop(), livekit?.stop()]);
  };
  try {
    await makeTemplate(server);
  } catch (error) {
    await stop();
    throw error;
  }
  project.provide('postgresUrl', server.url);
  project.provide(
    'livekit',
    livekit && { url: livekit.url, apiKey: livekit.apiKey, apiSecret: livekit.apiSecret },
  );
  return stop;
}
