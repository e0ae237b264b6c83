import { expect, it } from 'vitest';
import { createLog } from '../../src/log.ts';
import type { ConversationScorer, Turn } from '../../src/scoring/types.ts';
import { MetricsTicker } from '../../src/session/metrics-ticker.ts';
import type { MetricRecord } from '../../src/session/outbox.ts';
import { Ticks } from '../../src/session/ticks.ts';
import { ManualClock, settled } from '../support/clock.ts';

const TURNS: Turn[] = [{ role: 'customer', text: 'Where is my parcel?' }];

function scorer(satisfaction: number): ConversationScorer {
  return { kind: 'device', score: async () => [{ sentiment: 'neutral', satisfaction }] };
}

function setup(
  given: {
    device?: ConversationScorer;
    refining?: ConversationScorer;
    turns?: Turn[];
    onRead?: () => void;
  } = {},
) {
  const clock = new ManualClock();
  const startedAt = clock.now();
  const rows: MetricRecord[] = [];
  const ticker = new MetricsTicker({
    ticks: new Ticks({ everyMs: 5_000, clock }),
    everyMs: 5_000,
    device: given.device ?? scorer(55),
    refining: given.refining,
    turns: () => given.turns ?? TURNS,
    state: () => ({
      control: 'agent',
      customerSilentMs: 0,
      agentSpeaking: false,
      customerSpeaking: false,
      supervisorRequested: false,
    }),
    readFeed: (turns) => {
      given.onRead?.();
      return () => `${turns.length} turns`;
    },
    onRow: (row) => rows.push(row),
    clock,
    log: createLog({ level: 'silent' }),
  });
  const offsets = () => rows.map((row) => Date.parse(row.timestamp) - startedAt);
  return { clock, rows, ticker, offsets };
}

it('writes the first row at five seconds and then one every five', async () => {
  const { clock, rows, ticker, offsets } = setup();
  ticker.start();
  await clock.advance(4_999);
  expect(rows).toEqual([]);
  await clock.advance(1);
  expect(rows).toEqual([
    {
      timestamp: new Date(clock.now()).toISOString(),
      sentiment: 'neutral',
      satisfaction_score: 55,
      feed_text: '1 turns',
    },
  ]);
  await clock.advance(15_000);
  expect(offsets()).toEqual([5_000, 10_000, 15_000, 20_000]);
});

it('a late tick is one tick, and the cadence stays that of the beginning', async () => {
  const { clock, ticker, offsets } = setup();
  ticker.start();
  await clock.advance(5_000);
  clock.leap(17_300);
  await clock.advance(0);
  expect(offsets()).toEqual([5_000, 10_000]);
  await clock.advance(2_700);
  expect(offsets()).toEqual([5_000, 10_000, 25_000]);
});

it('writes nothing after it was stopped, not even the row that was being made', async () => {
  const answer = Promise.withResolvers<{ sentiment: 'good'; satisfaction: number }[]>();
  const { clock, rows, ticker } = setup({ device: { kind: 'device', score: () => answer.promise } });
  ticker.start();
  await clock.advance(5_000);
  ticker.stop();
  answer.resolve([{ sentiment: 'good', satisfaction: 90 }]);
  await settled();
  await clock.advance(20_000);
  expect(rows).toEqual([]);
  expect(clock.waiting).toBe(0);
});

it('takes the refined score when it comes in time', async () => {
  const { clock, rows, ticker } = setup({ refining: scorer(12) });
  ticker.start();
  await clock.advance(5_000);
  expect(rows.map((row) => row.satisfaction_score)).toEqual([12]);
});

it('takes the score of the device in the same tick when the refining scorer is too late', async () => {
  const never: ConversationScorer = { kind: 'model', score: () => new Promise(() => {}) };
  const { clock, rows, ticker, offsets } = setup({ refining: never });
  ticker.start();
  await clock.advance(9_999);
  expect(rows.map((row) => row.satisfaction_score)).toEqual([55]);
  expect(offsets()).toEqual([5_000]);
});

it('stands at the initial satisfaction while the customer has said nothing', async () => {
  const { clock, rows, ticker } = setup({ device: { kind: 'device', score: async () => [] }, turns: [] });
  ticker.start();
  await clock.advance(5_000);
  expect(rows[0]).toMatchObject({ sentiment: 'neutral', satisfaction_score: 60 });
});

it('a scorer that fails costs its row and none of the next', async () => {
  let calls = 0;
  const device: ConversationScorer = {
    kind: 'device',
    score: async () => {
      calls += 1;
      if (calls === 1) throw new Error('broken');
      return [{ sentiment: 'good', satisfaction: 80 }];
    },
  };
  const { clock, ticker, offsets } = setup({ device });
  ticker.start();
  await clock.advance(10_000);
  expect(offsets()).toEqual([10_000]);
});

it('whoever begins between two ticks is measured with all others, and at the same moments in every process', async () => {
  const clock = new ManualClock();
  const [one, other] = [new Ticks({ everyMs: 5_000, clock }), new Ticks({ everyMs: 5_000, clock })];
  const told: [string, number][] = [];
  const startedAt = clock.now();
  one.subscribe((at) => told.push(['early', at - startedAt]));
  await clock.advance(1_234);
  const leave = one.subscribe((at) => told.push(['late', at - startedAt]));
  other.subscribe((at) => told.push(['elsewhere', at - startedAt]));
  await clock.advance(4_000);
  leave();
  await clock.advance(5_000);
  expect(told).toEqual([
    ['early', 5_000],
    ['late', 5_000],
    ['elsewhere', 5_000],
    ['early', 10_000],
    ['elsewhere', 10_000],
  ]);
});

it('works score and feed out once as long as nobody says anything', async () => {
  let scored = 0;
  let read = 0;
  const onRead = () => {
    read += 1;
  };
  const device: ConversationScorer = {
    kind: 'device',
    score: async () => {
      scored += 1;
      return [{ sentiment: 'neutral', satisfaction: 55 }];
    },
  };
  const turns = [...TURNS];
  const { clock, ticker, rows } = setup({ device, turns, onRead });
  ticker.start();
  await clock.advance(15_000);
  expect([rows.length, scored, read]).toEqual([3, 1, 1]);
  turns.push({ role: 'customer', text: 'Hello?' });
  await clock.advance(5_000);
  expect([rows.length, scored, read]).toEqual([4, 2, 2]);
});
