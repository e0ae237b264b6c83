import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { appendFile, mkdtemp, readdir, readFile, rm, stat, utimes, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { createLog } from '../../src/log.ts';
import { openSpool } from '../../src/runtime/spool.ts';
import { SpoolFolder } from '../../src/runtime/spool-folder.ts';
import { Outbox, type RecordBatch } from '../../src/session/outbox.ts';
import { ManualClock, settled } from '../support/clock.ts';

const PROCESS = fileURLToPath(new URL('spooling-process.ts', import.meta.url));
const KEY = { interactionId: 'one', generation: 3 };
const SECRET = { secretKey: 'of the deployment', url: 'https://database.example' };
const log = createLog({ level: 'silent' });
let parent: string;
const children: ChildProcess[] = [];
beforeEach(async () => {
  parent = await mkdtemp(join(tmpdir(), 'spool-test-'));
});
afterEach(async () => {
  for (const child of children.splice(0)) await kill(child);
  await rm(parent, { recursive: true, force: true });
});

function setupOutbox(spool?: ReturnType<typeof openSpool>) {
  const clock = new ManualClock();
  const database = { away: false };
  const stored: string[] = [];
  const outbox = new Outbox({
    sink: {
      async appendRecords(batch: RecordBatch[]) {
        if (database.away) throw new Error('away');
        for (const { generation, messages } of batch)
          stored.push(...messages.map(({ item_id }) => `${generation}:${item_id}`));
        return batch.map(({ interaction_id }) => ({ interaction_id, stored: true }));
      },
      async recordMetrics(rows) {
        if (database.away) throw new Error('away');
        stored.push(...rows.map(({ timestamp }) => timestamp));
      },
    },
    clock,
    log,
    spool,
  });
  const say = (item_id: string) =>
    outbox.message(KEY, { item_id, role: 'customer', content: `secret of ${item_id}`, spoken_at: 'then' });
  return { clock, database, outbox, say, stored };
}

const makeFolder = (secret = SECRET) => SpoolFolder.make({ parent, secret, log });

/** A worker with its folder and records, or a process of one, in a process of its own. */
async function start(what: 'make' | 'open', place: string, ...records: string[]) {
  const args = ['--disable-warning=ExperimentalWarning', PROCESS, what, place, SECRET.secretKey, ...records];
  const child = spawn(process.execPath, args, { stdio: ['ignore', 'pipe', 'inherit'] });
  children.push(child);
  const [path] = await once(createInterface({ input: child.stdout }), 'line');
  return { child, path: String(path) };
}

async function kill(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const exited = once(child, 'exit');
  child.kill('SIGKILL');
  await exited;
}

const recordsIn = async (path: string) => (await readdir(path)).filter((name) => name.endsWith('.records'));

/** As if nobody had written there for so long. */
async function age(path: string, ms: number): Promise<void> {
  const then = new Date(Date.now() - ms);
  for (const name of await readdir(path)) await utimes(join(path, name), then, then);
  await utimes(path, then, then);
}

it('keeps nothing while the database answers', async () => {
  const folder = await makeFolder();
  const { outbox, say } = setupOutbox(openSpool(folder.path, SECRET, log));
  void say('a');
  await outbox.flushed();
  expect(await recordsIn(folder.path)).toEqual([]);
  await folder.close();
  expect(await readdir(parent)).toEqual([]);
});

it('what a living process keeps is its own, and is gone when it is stored', async () => {
  const folder = await makeFolder();
  const { clock, database, outbox, say } = setupOutbox(openSpool(folder.path, SECRET, log));
  database.away = true;
  void say('a');
  await settled();
  void say('b');
  const row = { timestamp: 'tick', sentiment: 'good', satisfaction_score: 70, feed_text: 'Asks.' } as const;
  void outbox.metric(KEY, row);
  await clock.advance(5_000);
  const worker = setupOutbox();
  await folder.recoverDead(worker.outbox);
  expect(worker.stored).toEqual([]);
  const [file = ''] = await recordsIn(folder.path);
  expect((await stat(folder.path)).mode & 0o777).toBe(0o700);
  expect((await stat(join(folder.path, file))).mode & 0o777).toBe(0o600);
  expect(await readFile(join(folder.path, file), 'utf8')).not.toContain('secret');
  database.away = false;
  const flushed = outbox.flushed();
  await clock.advance(5_000);
  await flushed;
  await settled();
  expect(await recordsIn(folder.path)).toEqual([]);
});

it('a process that dies while the database is away: its worker stores what it had, in order, with its generation', async () => {
  const folder = await makeFolder();
  const { child } = await start('open', folder.path, 'a', 'b');
  const worker = setupOutbox();
  await folder.recoverDead(worker.outbox);
  expect(worker.stored).toEqual([]);
  await kill(child);
  const [file = ''] = await recordsIn(folder.path);
  // Its last line is cut off where its death found it.
  await appendFile(join(folder.path, file), 'c29tZXRoaW5n');
  worker.database.away = true;
  const asked = [folder.recoverDead(worker.outbox), folder.recoverDead(worker.outbox)];
  const done = Promise.all(asked);
  await expect.poll(() => worker.outbox.depth, { timeout: 20_000 }).toBe(2);
  expect(await recordsIn(folder.path)).toHaveLength(1);
  worker.database.away = false;
  await worker.clock.advance(5_000);
  await done;
  expect(worker.stored).toEqual(['3:a', '3:b']);
  expect(await recordsIn(folder.path)).toEqual([]);
});

it('a worker that dies with all its processes: the next one stores what they had, and another deployment does not', async () => {
  const { child, path } = await start('make', parent, 'a', 'b');
  const [next, stranger] = [setupOutbox(), setupOutbox()];
  const folder = await makeFolder();
  await folder.recoverLeft(next.outbox);
  // A process that only stands still is not dead, however long nothing was written.
  child.kill('SIGSTOP');
  await age(path, 3_600_000);
  await folder.recoverLeft(next.outbox);
  expect(next.stored).toEqual([]);
  await kill(child);
  for (const secret of [
    { ...SECRET, secretKey: 'another' },
    { ...SECRET, url: 'https://another.example' },
  ])
    await (await makeFolder(secret)).recoverLeft(stranger.outbox);
  expect(await recordsIn(path)).toHaveLength(1);
  await folder.recoverLeft(next.outbox);
  expect(next.stored).toEqual(['3:a', '3:b']);
  expect(stranger.stored).toEqual([]);
  expect(await readdir(parent)).not.toContain(path.slice(parent.length + 1));
});

it('what a process keeps that outlives its worker is left to it until it is dead', async () => {
  const worker = await start('make', parent, 'a');
  const orphan = await start('open', worker.path, 'b');
  await kill(worker.child);
  const next = setupOutbox();
  const folder = await makeFolder();
  await folder.recoverLeft(next.outbox);
  expect(next.stored).toEqual(['3:a']);
  await kill(orphan.child);
  await folder.recoverLeft(next.outbox);
  expect(next.stored).toEqual(['3:a', '3:b']);
});

it('of another machine that shares the disk nobody answers: its folder is left alone while anybody writes there', async () => {
  const { child, path } = await start('make', parent, 'a');
  const head = join(path, 'folder.json');
  await writeFile(
    head,
    JSON.stringify({ ...JSON.parse(await readFile(head, 'utf8')), machine: 'another one' }),
  );
  await kill(child);
  const next = setupOutbox();
  const folder = await makeFolder();
  await folder.recoverLeft(next.outbox);
  expect(next.stored).toEqual([]);
  await age(path, 600_000);
  await folder.recoverLeft(next.outbox);
  expect(next.stored).toEqual(['3:a']);
});

it('where no sockets can be made, the age of the folder tells', async () => {
  const { child, path } = await start('make', parent, 'a');
  await kill(child);
  for (const name of await readdir(path)) if (name.endsWith('.life')) await rm(join(path, name));
  const next = setupOutbox();
  const folder = await makeFolder();
  await folder.recoverLeft(next.outbox);
  expect(next.stored).toEqual([]);
  await age(path, 600_000);
  await folder.recoverLeft(next.outbox);
  expect(next.stored).toEqual(['3:a']);
});

it('a worker that has to end before the database is back leaves the rest to the next one', async () => {
  const first = await makeFolder();
  const { child } = await start('open', first.path, 'a');
  await kill(child);
  const ending = setupOutbox();
  ending.database.away = true;
  const recovering = first.recoverDead(ending.outbox);
  await expect.poll(() => ending.outbox.depth, { timeout: 20_000 }).toBe(1);
  const closed = first.close();
  ending.outbox.close();
  await Promise.all([recovering, closed]);
  expect(await recordsIn(first.path)).toHaveLength(1);
});

it('a worker that lives keeps its folder, also while nothing is in it', async () => {
  const [one, other] = [await makeFolder(), await makeFolder()];
  await age(one.path, 3_600_000);
  await other.recoverLeft(setupOutbox().outbox);
  expect(await readdir(parent)).toHaveLength(2);
});

it('what nobody can read is kept for a day', async () => {
  const { child, path } = await start('make', parent, 'a');
  await kill(child);
  const folder = await makeFolder({ ...SECRET, secretKey: 'a new one' });
  const { outbox } = setupOutbox();
  await age(path, 23 * 3_600_000);
  await folder.recoverLeft(outbox);
  expect(await recordsIn(path)).toHaveLength(1);
  await age(path, 25 * 3_600_000);
  await folder.recoverLeft(outbox);
  expect(await readdir(parent)).not.toContain(path.slice(parent.length + 1));
});
