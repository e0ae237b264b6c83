import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { migrate } from '../../../src/database/migrate.ts';
import { type NodeChild, startNodeChild } from '../../../src/embedded/node-child.ts';
import { freeTcpPort } from '../../../src/embedded/ports.ts';
import { type EmbeddedPostgres, startPostgres } from '../../../src/embedded/postgres.ts';
import { generateSupabaseKeys, prepareDatabase } from '../../../src/embedded/supabase.ts';
import { createLog } from '../../../src/log.ts';
import { openDatabase, type TestDatabase } from '../../support/database.ts';

export interface OwnDatabase {
  readonly database: TestDatabase;
  /** PostgreSQL ends at once, as in a crash: nothing is flushed and nobody is told. */
  crash(): Promise<void>;
  /** Nobody answers for it either. */
  killRest(): Promise<void>;
  /** Both are there again, on the same data and at the same addresses. */
  start(): Promise<void>;
}

/** A PostgreSQL of a test's own, with everything as safe as in production, and its REST server as its own process. */
export async function setupOwnDatabase(): Promise<OwnDatabase> {
  const [dataDir, logs] = await Promise.all([makeFolder(), makeFolder()]);
  const options = { dataDir, password: crypto.randomUUID(), port: await freeTcpPort(), temporary: true };
  let server: EmbeddedPostgres | undefined = await startPostgres(options);
  const databaseUrl = server.url;
  await prepareDatabase(databaseUrl);
  await migrate(databaseUrl, { log: createLog({ level: 'silent' }) });
  const keys = await generateSupabaseKeys();
  const port = await freeTcpPort();
  let rest: NodeChild | undefined;
  const startRest = async (): Promise<void> => {
    const started = await startNodeChild({
      name: 'Supabase',
      script: new URL('../../../src/embedded/supabase-main.ts', import.meta.url),
      env: { PATH: process.env.PATH, DO_NOT_TRACK: '1' },
      input: JSON.stringify({ databaseUrl, port, keys }),
      logFile: join(logs, 'rest.log'),
      ready: (lines) => lines.line(/^\{"url":/),
    });
    rest = started;
    // Its client of PostgreSQL may end it when connections break in the midst of a transaction.
    void started.exited.then(() => {
      if (rest === started) rest = undefined;
    });
  };
  const start = async (): Promise<void> => {
    server ??= await startPostgres(options);
    if (rest === undefined) await startRest();
  };
  await startRest();
  const supabaseUrl = `http://127.0.0.1:${port}`;
  const database = openDatabase({ databaseUrl, supabaseUrl, keys }, async (end) => {
    // Whatever a test that failed has left; the folder goes with the server's orderly end.
    await start();
    await rest?.stop();
    await end();
    await server?.stop();
    await rm(logs, { recursive: true, force: true });
  });
  return {
    database,
    async crash() {
      if (!server) return;
      process.kill(server.pid, 'SIGQUIT');
      await server.exited;
      server = undefined;
    },
    async killRest() {
      const dying = rest;
      if (!dying) return;
      process.kill(dying.pid, 'SIGKILL');
      await dying.exited;
    },
    start,
  };
}

function makeFolder(): Promise<string> {
  return mkdtemp(join(tmpdir(), 'floorwalker-test-'));
}
