import { expect, it } from 'vitest';
import { createLog } from '../../src/log.ts';
import { type MetricRow, Outbox, type RecordBatch, type RecordSink } from '../../src/session/outbox.ts';
import { ManualClock, settled } from '../support/clock.ts';

const ONE = { interactionId: 'one', generation: 1 };
const TWO = { interactionId: 'two', generation: 4 };

function setup(options: { capacity?: number } = {}) {
  const clock = new ManualClock();
  const batches: RecordBatch[][] = [];
  const metrics: MetricRow[][] = [];
  const database = {
    away: false,
    stale: new Set<string>(),
    loseAnswers: 0,
    /** What messages and steps wait for. */
    busy: Promise.resolve(),
  };
  const answer = () => {
    if (database.away) throw new Error('away');
  };
  const sink: RecordSink = {
    async appendRecords(batch) {
      answer();
      await database.busy;
      batches.push(batch);
      if (database.loseAnswers > 0) {
        database.loseAnswers -= 1;
        throw new Error('the answer was lost');
      }
      return batch.map(({ interaction_id }) => ({
        interaction_id,
        stored: !database.stale.has(interaction_id),
      }));
    },
    async recordMetrics(rows) {
      answer();
      metrics.push(rows);
    },
  };
  const outbox = new Outbox({ sink, clock, log: createLog({ level: 'silent' }), ...options });
  const say = (key: typeof ONE, item_id: string) =>
    outbox.message(key, {
      item_id,
      role: 'customer',
      content: item_id,
      spoken_at: new Date(clock.now()).toISOString(),
    });
  const written = () => batches.flat().flatMap((group) => group.messages.map((message) => message.item_id));
  return { clock, outbox, batches, metrics, database, say, written };
}

it('writes what is added in one turn of the event loop as one batch, each interaction in order', async () => {
  const { outbox, batches, metrics, say } = setup();
  const results = [say(ONE, 'a'), say(TWO, 'x'), say(ONE, 'b')];
  const step = outbox.step(TWO, { step_id: 's', step_type: 'joined', happened_at: 'now' });
  const row = { timestamp: 't', sentiment: 'good', satisfaction_score: 70, feed_text: 'Asks.' } as const;
  const metric = outbox.metric(TWO, row);
  expect(await Promise.all([...results, step, metric])).toEqual(Array(5).fill('stored'));
  expect(batches).toHaveLength(1);
  expect(batches[0]?.map(({ interaction_id, generation }) => [interaction_id, generation])).toEqual([
    ['one', 1],
    ['two', 4],
  ]);
  expect(batches[0]?.[0]?.messages.map(({ item_id }) => item_id)).toEqual(['a', 'b']);
  expect(batches[0]?.[1]?.steps.map(({ step_id }) => step_id)).toEqual(['s']);
  expect(metrics).toEqual([[{ interaction_id: 'two', generation: 4, ...row }]]);
});

it('writes measurements at once, also while messages are being written, and is flushed when both are there', async () => {
  const { outbox, metrics, database, say, written } = setup();
  const busy = Promise.withResolvers<void>();
  database.busy = busy.promise;
  const message = say(ONE, 'a');
  await settled();
  const row = { timestamp: 't', sentiment: 'good', satisfaction_score: 70, feed_text: 'Asks.' } as const;
  expect(await outbox.metric(ONE, row)).toBe('stored');
  expect(metrics).toHaveLength(1);
  expect(written()).toEqual([]);
  let isFlushed = false;
  const flushed = outbox.flushed().then(() => {
    isFlushed = true;
  });
  await settled();
  expect(isFlushed).toBe(false);
  busy.resolve();
  expect(await message).toBe('stored');
  await flushed;
  expect(written()).toEqual(['a']);
});

it('keeps order, times and every entry while the database is away, and tries again by itself', async () => {
  const { clock, outbox, batches, database, say, written } = setup();
  database.away = true;
  const first = say(ONE, 'first');
  const saidAt = new Date(clock.now()).toISOString();
  await clock.advance(30_000);
  const second = say(ONE, 'second');
  await clock.advance(30_000);
  expect(outbox.depth).toBe(2);
  expect(written()).toEqual([]);
  database.away = false;
  await clock.advance(4_000);
  expect(await Promise.all([first, second])).toEqual(['stored', 'stored']);
  expect(written()).toEqual(['first', 'second']);
  expect(batches.flat()[0]?.messages[0]?.spoken_at).toBe(saidAt);
  expect(outbox.depth).toBe(0);
});

it('asks a database that is away less and less often, and at once again after it was back', async () => {
  const { clock, database, say, written } = setup();
  database.away = true;
  void say(ONE, 'a');
  await settled();
  database.away = false;
  await clock.advance(99);
  expect(written()).toEqual([]);
  await clock.advance(1);
  expect(written()).toEqual(['a']);
  database.away = true;
  void say(ONE, 'b');
  await clock.advance(100 + 250 + 500 + 1_000 + 2_000 + 4_000);
  database.away = false;
  await clock.advance(3_999);
  expect(written()).toEqual(['a']);
  await clock.advance(1);
  expect(written()).toEqual(['a', 'b']);
});

it('sends a batch again with the same ids when the answer was lost', async () => {
  const { clock, database, say, written } = setup();
  database.loseAnswers = 1;
  const result = say(ONE, 'a');
  await clock.advance(100);
  expect(await result).toBe('stored');
  expect(written()).toEqual(['a', 'a']);
});

it('tells a session whose lease was taken that its records are stale, and the other one nothing of it', async () => {
  const { database, say } = setup();
  database.stale.add('one');
  expect(await Promise.all([say(ONE, 'a'), say(TWO, 'x')])).toEqual(['stale', 'stored']);
});

it('refuses the newest past its capacity and keeps what it took before', async () => {
  const { clock, database, say, written } = setup({ capacity: 2 });
  database.away = true;
  const kept = [say(ONE, 'a'), say(ONE, 'b')];
  expect(await say(ONE, 'c')).toBe('lost');
  database.away = false;
  await clock.advance(100);
  expect(await Promise.all(kept)).toEqual(['stored', 'stored']);
  expect(written()).toEqual(['a', 'b']);
});

it('gives one interaction no more than its share while the database is away, and keeps the others’', async () => {
  const { clock, outbox, database, say, written } = setup();
  database.away = true;
  const kept = Array.from({ length: 5_000 }, (_, number) => say(ONE, String(number)));
  expect(await say(ONE, 'too much')).toBe('lost');
  const other = say(TWO, 'x');
  expect(outbox.waitingCharacters(ONE)).toBeGreaterThanOrEqual(5_000);
  database.away = false;
  await clock.advance(100);
  await settled();
  expect(new Set(await Promise.all(kept))).toEqual(new Set(['stored']));
  expect(await other).toBe('stored');
  expect(written()).not.toContain('too much');
  expect(outbox.waitingCharacters(ONE)).toBe(0);
  expect(await say(ONE, 'again')).toBe('stored');
});

it('is flushed when everything added before is stored, and not earlier', async () => {
  const { clock, outbox, database, say, written } = setup();
  await outbox.flushed();
  database.away = true;
  void say(ONE, 'a');
  const seen: string[][] = [];
  const flushed = outbox.flushed().then(() => seen.push(written()));
  await clock.advance(5_000);
  expect(seen).toEqual([]);
  database.away = false;
  await clock.advance(4_000);
  await flushed;
  expect(seen).toEqual([['a']]);
});

it('gives up what is left when it is closed, and takes nothing more', async () => {
  const { outbox, database, say, clock } = setup();
  database.away = true;
  const left = say(ONE, 'a');
  await settled();
  outbox.close();
  expect(await left).toBe('lost');
  expect(await say(ONE, 'b')).toBe('lost');
  await clock.advance(10_000);
  expect(clock.waiting).toBe(0);
});
