import { expect, it } from 'vitest';
import { createLog } from '../../src/log.ts';
import { LeaseKeeper, type LeaseKey, type PolledSession } from '../../src/session/lease-keeper.ts';
import { ManualClock, settled } from '../support/clock.ts';

const ONE = { interactionId: 'one', generation: 1, workerId: 'worker' };
const TWO = { interactionId: 'two', generation: 3, workerId: 'worker' };

function setup() {
  const clock = new ManualClock();
  const database = { away: false, taken: new Set<string>(), hold: undefined as Promise<void> | undefined };
  const polls: string[][] = [];
  const beats: string[][] = [];
  const ask = (list: string[][]) => async (leases: LeaseKey[]) => {
    list.push(leases.map((lease) => lease.interactionId));
    if (list === polls) await database.hold;
    if (database.away) throw new Error('away');
    return leases.map(({ interactionId: id }) => ({ interaction_id: id, held: !database.taken.has(id) }));
  };
  const keeper = new LeaseKeeper<PolledSession>({
    poll: ask(polls),
    heartbeat: ask(beats),
    pollMs: 500,
    heartbeatMs: 2_000,
    leaseMs: 8_000,
    clock,
    log: createLog({ level: 'silent' }),
  });
  const heard: string[] = [];
  const away: number[] = [];
  const keep = (key: LeaseKey) =>
    keeper.keep(key, {
      onPolled: () => heard.push(`news ${key.interactionId}`),
      onLost: () => heard.push(`lost ${key.interactionId}`),
      onUnreachable: (forMs) => away.push(forMs),
      onReached: (afterMs) => heard.push(`back after ${afterMs}`),
    });
  return { clock, database, polls, beats, keeper, heard, away, keep };
}

it('asks once for all sessions of the process, at the interval of each question', async () => {
  const { clock, polls, beats, heard, keep } = setup();
  keep(ONE);
  keep(TWO);
  await clock.advance(4_000);
  expect(polls).toEqual(Array(8).fill(['one', 'two']));
  expect(beats).toEqual([
    ['one', 'two'],
    ['one', 'two'],
  ]);
  expect(heard.filter((news) => news === 'news two')).toHaveLength(8);
});

it('a bell brings the poll forward; bells during a poll bring one more, however many rang', async () => {
  const { clock, database, polls, keeper, keep } = setup();
  keep(ONE);
  const gate = Promise.withResolvers<void>();
  database.hold = gate.promise;
  keeper.ring();
  await settled();
  expect(polls).toHaveLength(1);
  for (let bells = 0; bells < 20; bells += 1) keeper.ring();
  await clock.advance(2_000);
  expect(polls).toHaveLength(1);
  gate.resolve();
  await settled();
  expect(polls).toHaveLength(2);
  await clock.advance(499);
  expect(polls).toHaveLength(2);
  await clock.advance(1);
  expect(polls).toHaveLength(3);
});

it('a lost lease is told once, and holds no more; the other session goes on', async () => {
  const { clock, database, keeper, heard, keep } = setup();
  keep(ONE);
  keep(TWO);
  database.taken.add('one');
  await clock.advance(10_000);
  expect(heard.filter((news) => news.endsWith('one'))).toEqual(['lost one']);
  expect(keeper.holds('one')).toBe(false);
  expect(keeper.holds('two')).toBe(true);
});

it('a process that was stopped longer than the lease does not hold until the database has said so', async () => {
  const { clock, keeper, keep } = setup();
  keep(ONE);
  await clock.advance(4_000);
  clock.leap(8_001);
  expect(keeper.holds('one')).toBe(false);
  await clock.advance(2_000);
  expect(keeper.holds('one')).toBe(true);
});

it('while the database is away nobody else can claim, so the session goes on', async () => {
  const { clock, database, keeper, heard, keep } = setup();
  keep(ONE);
  await clock.advance(4_000);
  database.away = true;
  await clock.advance(60_000);
  expect(keeper.holds('one')).toBe(true);
  database.away = false;
  database.taken.add('one');
  await clock.advance(500);
  expect(keeper.holds('one')).toBe(false);
  expect(heard.at(-1)).toBe('lost one');
});

it('when the database is back the lease is renewed at once, and it held all the time', async () => {
  const { clock, database, beats, keeper, heard, away, keep } = setup();
  keep(ONE);
  await clock.advance(4_000);
  database.away = true;
  await clock.advance(30_000);
  expect(away.at(-1)).toBeGreaterThan(29_000);
  const before = beats.length;
  database.away = false;
  database.hold = undefined;
  // The next poll comes within half a second; the heartbeat does not wait for its own time.
  await clock.advance(500);
  expect(beats.length).toBeGreaterThan(before);
  expect(heard.filter((news) => news.startsWith('back after'))).toHaveLength(1);
  expect(keeper.holds('one')).toBe(true);
  await clock.advance(7_000);
  expect(keeper.holds('one')).toBe(true);
  expect(heard.filter((news) => news.startsWith('back after'))).toHaveLength(1);
});

it('a process that was stopped while it asked does not take the late failure for an outage', async () => {
  const { clock, database, keeper, keep } = setup();
  keep(ONE);
  await clock.advance(4_000);
  const gate = Promise.withResolvers<void>();
  database.hold = gate.promise;
  await clock.advance(500);
  clock.leap(20_000);
  database.away = true;
  gate.resolve();
  await settled();
  expect(keeper.holds('one')).toBe(false);
  await clock.advance(60_000);
  expect(keeper.holds('one')).toBe(false);
});

it('asks nothing any more when the last session let go, and begins again with the next', async () => {
  const { clock, polls, keeper, keep } = setup();
  const release = keep(ONE);
  await clock.advance(500);
  release();
  expect(keeper.holds('one')).toBe(false);
  await clock.advance(10_000);
  expect(polls).toHaveLength(1);
  expect(clock.waiting).toBe(0);
  keep(TWO);
  await clock.advance(500);
  expect(polls.at(-1)).toEqual(['two']);
});

it('an earlier claim that lets go does not take the later one of the same interaction with it', () => {
  const { keeper, keep } = setup();
  const release = keep(ONE);
  keep({ ...ONE, generation: 2 });
  release();
  expect(keeper.holds('one')).toBe(true);
});
