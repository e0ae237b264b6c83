import { spawnSync } from 'node:child_process';
import { appendFile, mkdtemp, readdir, readFile, rename, rm, stat } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { createLog } from '../../src/log.ts';
import { openSpool, SpoolFolder } from '../../src/runtime/spool.ts';
import { Outbox, type RecordBatch } from '../../src/session/outbox.ts';
import { ManualClock, settled } from '../support/clock.ts';

const KEY = { interactionId: 'one', generation: 3 };
const log = createLog({ level: 'silent' });
let parent: string;
beforeEach(async () => {
  parent = await mkdtemp(join(tmpdir(), 'spool-test-'));
});
afterEach(() => rm(parent, { recursive: true, force: true }));

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

/** The spool of a process as it is found when that process is dead. */
async function setupDead() {
  const folder = await SpoolFolder.make(log, parent);
  const { clock, database, outbox, say } = setupOutbox(openSpool(folder.address, log));
  const [name = ''] = await readdir(parent);
  const die = async () => {
    const { pid } = spawnSync('true');
    await rename(join(parent, name, String(process.pid)), join(parent, name, String(pid)));
    return join(parent, name, String(pid));
  };
  return { folder, clock, database, outbox, say, die, path: join(parent, name) };
}

it('keeps nothing while the database answers', async () => {
  const { outbox, say, path } = await setupDead();
  void say('a');
  await outbox.flushed();
  expect(await readdir(path)).toEqual([]);
});

it('a process that dies while the database is away: its worker stores what it had, in order, with its generation', async () => {
  const { folder, clock, database, outbox, say, die, path } = await setupDead();
  database.away = true;
  void say('a');
  await settled();
  void say('b');
  const row = { timestamp: 'tick', sentiment: 'good', satisfaction_score: 70, feed_text: 'Asks.' } as const;
  void outbox.metric(KEY, row);
  await clock.advance(5_000);
  const file = await die();
  expect((await stat(path)).mode & 0o777).toBe(0o700);
  expect((await stat(file)).mode & 0o777).toBe(0o600);
  expect(await readFile(file, 'utf8')).not.toContain('secret');
  // Its last line is cut off where its death found it.
  await appendFile(file, 'c29tZXRoaW5n');
  const worker = setupOutbox();
  await folder.recoverDead(worker.outbox);
  expect(worker.stored).toEqual(['3:a', '3:b', 'tick']);
  expect(await readdir(path)).toEqual([]);
});

it('what a living process keeps is its own, and is gone when it is stored', async () => {
  const { folder, clock, database, outbox, say, path } = await setupDead();
  database.away = true;
  void say('a');
  await settled();
  const worker = setupOutbox();
  await folder.recoverDead(worker.outbox);
  expect(worker.stored).toEqual([]);
  expect(await readdir(path)).toHaveLength(1);
  database.away = false;
  const flushed = outbox.flushed();
  await clock.advance(5_000);
  await flushed;
  await settled();
  expect(await readdir(path)).toEqual([]);
  await folder.remove();
  expect(await readdir(parent)).toEqual([]);
});
