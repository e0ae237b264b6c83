import { afterAll, beforeAll, expect, it } from 'vitest';
import { loadConfig } from '../../src/config.ts';
import { createLog } from '../../src/log.ts';
import { createHousekeeping } from '../../src/runtime/housekeeping.ts';
import { gatedCall, pastInteraction, startInteraction } from '../database/floor.ts';
import { ManualClock } from '../support/clock.ts';
import { setupDatabase, type TestDatabase } from '../support/database.ts';
import { setupLiveKit } from '../support/livekit.ts';
import { waitUntil } from '../support/stack.ts';

let db: TestDatabase;
beforeAll(async () => {
  db = await setupDatabase();
});
afterAll(() => db?.stop());

function candidate(name: string) {
  const livekit = setupLiveKit();
  const clock = new ManualClock();
  const config = loadConfig({
    LIVEKIT_URL: livekit.url,
    LIVEKIT_API_KEY: livekit.apiKey,
    LIVEKIT_API_SECRET: livekit.apiSecret,
    SUPABASE_URL: db.supabaseUrl,
    SUPABASE_SECRET_KEY: db.secretKey,
    OPENAI_API_KEY: 'unused',
  });
  const log = createLog({ level: 'silent' });
  const housekeeping = createHousekeeping({ db: db.service, config, candidate: name, clock, log });
  housekeeping.start();
  /** A round comes every 5 s, give or take a quarter; it is over when the next one is set. */
  const round = async () => {
    await clock.advance(6_250);
    await waitUntil(() => clock.waiting > 0);
  };
  return { housekeeping, round };
}

async function holder() {
  const [seat] = await db.sql`select holder, term from floorwalker.elections where role = 'housekeeping'`;
  return { holder: seat?.holder, term: Number(seat?.term) };
}

async function old(): Promise<string> {
  const { id: businessId } = await db.createBusiness();
  const agent = await db.createAgent({ businessId });
  return pastInteraction(db, agent, { startedAt: new Date(Date.now() - 100 * 86_400_000) });
}

async function purged(id: string): Promise<boolean> {
  const [row] = await db.sql`select purged_at from interactions where id = ${id}`;
  return row?.purged_at !== null;
}

it('is done by one process, by the next when that one dies, and at once by another when it stops in order', async () => {
  // Of an earlier try.
  await db.sql`delete from floorwalker.elections`;
  const [one, two] = [candidate('one'), candidate('two')];
  await one.round();
  await two.round();
  expect(await holder()).toEqual({ holder: 'one', term: 1 });

  // It dies without a word: its lease runs out, and what is due is removed by whoever is elected then.
  const due = await old();
  await db.sql`update floorwalker.elections set lease_until = now() - interval '1 second'`;
  await two.round();
  expect(await holder()).toEqual({ holder: 'two', term: 2 });
  expect(await purged(due)).toBe(true);

  // It was only stopped, and wakes up: not its turn any more.
  await one.round();
  expect(await holder()).toEqual({ holder: 'two', term: 2 });

  await two.housekeeping.stop();
  await one.round();
  expect(await holder()).toEqual({ holder: 'one', term: 3 });
  await one.housekeeping.stop();
  await one.housekeeping.stop();
});

it('times out a permission with no session awake', async () => {
  const { id: businessId } = await db.createBusiness();
  const mine = await startInteraction(db.service, await db.createAgent({ businessId }));
  const { permissionId } = await gatedCall(db.service, mine);
  await db.sql`update tool_permissions set expires_at = now() - interval '1 second' where id = ${permissionId}`;
  const { housekeeping, round } = candidate('night watch');
  await db.sql`update floorwalker.elections set lease_until = now() - interval '1 second'`;
  await round();
  const [row] = await db.sql`select status from tool_permissions where id = ${permissionId}`;
  expect(row?.status).toBe('timeout');
  await housekeeping.stop();
});

it('keeps what the floor draws of open conversations', async () => {
  const { id: businessId } = await db.createBusiness();
  const { id } = await startInteraction(db.service, await db.createAgent({ businessId }));
  await db.sql`update interactions set started_at = now() - interval '1 hour' where id = ${id}`;
  await db.sql`insert into realtime_metrics (interaction_id, "timestamp", sentiment, satisfaction_score, feed_text)
    values (${id}, now() - interval '10 minutes', 'good', 80, 'Waits.')`;
  const { housekeeping, round } = candidate('draughtsman');
  await db.sql`update floorwalker.elections set lease_until = now() - interval '1 second'`;
  await round();
  expect(await db.sql`select from floorwalker.tracks where interaction_id = ${id}`).toHaveLength(1);
  await housekeeping.stop();
});
