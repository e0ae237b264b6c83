import { afterAll, beforeAll, expect, it } from 'vitest';
import { claimInteraction, completeInteraction } from '../../src/database/interactions.ts';
import { releaseLease } from '../../src/database/leases.ts';
import {
  appendLeftRecords,
  appendRecords,
  type NewMessage,
  recordLeftMetrics,
} from '../../src/database/records.ts';
import { type Floor, setupFloor, startInteraction } from './floor.ts';

let floor: Floor;
beforeAll(async () => {
  floor = await setupFloor();
});
afterAll(() => floor?.db.stop());

interface Key {
  readonly interactionId: string;
  readonly generation: number;
}
const at = (second: number) => new Date(Date.UTC(2026, 0, 5, 9, 0, second)).toISOString();
const said = (item_id: string, second: number, content = item_id): NewMessage => ({
  item_id,
  role: item_id.startsWith('customer') ? 'customer' : 'agent',
  content,
  spoken_at: at(second),
});
const batch = ({ interactionId, generation }: Key, ...messages: NewMessage[]) => [
  { interaction_id: interactionId, generation, messages },
];
const store = (key: Key, ...messages: NewMessage[]) =>
  appendRecords(floor.db.service, batch(key, ...messages));
const leave = (key: Key, ...messages: NewMessage[]) =>
  appendLeftRecords(floor.db.service, batch(key, ...messages));

async function succeed({ interactionId, generation }: Key): Promise<Key> {
  const { service } = floor.db;
  await releaseLease(service, { interactionId, generation });
  const claim = await claimInteraction(service, { interactionId, workerId: 'worker-b', leaseSeconds: 30 });
  if (!claim.claimed) throw new Error(`not claimed: ${claim.reason}`);
  return { interactionId, generation: claim.generation };
}

async function transcript({ interactionId }: Key) {
  const rows = await floor.db.sql<{ item_id: string; seq: number; content: string; spoken_at: Date }[]>`
    select item_id, seq::int, content, spoken_at from interaction_messages
    where interaction_id = ${interactionId} order by seq`;
  expect(rows.map(({ seq }) => seq)).toEqual(rows.map((_, index) => index + 1));
  return rows.map(
    ({ content, spoken_at }) => `${content} ${Math.round((+spoken_at - Date.parse(at(0))) / 1_000)}`,
  );
}

it('what a dead process left comes where it was said, also when its successor has spoken since', async () => {
  const { key } = await startInteraction(floor.db.service, floor.agent);
  await store(key, said('customer:1', 1), said('agent-1', 2));
  const next = await succeed(key);
  await store(next, said('agent-sorry', 30), said('customer:3', 31), said('agent-again', 32));
  const left = [
    said('customer:2', 10),
    said('agent-2', 11, 'agent-2 and more than was heard'),
    said('agent-2', 11),
    // Sent again since, and stored by the successor.
    said('customer:3', 12),
    said('agent-3', 13),
  ];
  const whole = [
    'customer:1 1',
    'agent-1 2',
    'customer:2 10',
    'agent-2 11',
    'customer:3 12',
    'agent-3 13',
    'agent-sorry 30',
    'agent-again 32',
  ];
  for (let times = 0; times < 2; times += 1) {
    expect(await leave(key, ...left)).toEqual([{ interaction_id: key.interactionId, stored: true }]);
    expect(await transcript(key)).toEqual(whole);
  }
  await store(next, said('customer:4', 40));
  expect(await transcript(key)).toEqual([...whole, 'customer:4 40']);
  // The fence is for those who live.
  expect(await store(key, said('zombie', 41))).toMatchObject([{ stored: false, reason: 'stale' }]);
});

it('while nobody has taken over they are stored like any others', async () => {
  const { key } = await startInteraction(floor.db.service, floor.agent);
  await store(key, said('agent-1', 1));
  await leave(key, said('customer:1', 2), said('agent-1', 1, 'agent-1, cut short'));
  expect(await transcript(key)).toEqual(['agent-1, cut short 1', 'customer:1 2']);
});

it('after the end they are counted in the archive; what was deleted, or never was, takes nothing', async () => {
  const { key } = await startInteraction(floor.db.service, floor.agent);
  await store(key, said('customer:1', 1));
  const next = await succeed(key);
  await completeInteraction(floor.db.service, { ...next, status: 'completed', endReason: 'customer_left' });
  await leave(key, said('customer:2', 2), said('agent-2', 3));
  const { sql } = floor.db;
  const [archive] = await sql`
    select summary, facts from interaction_archives where interaction_id = ${key.interactionId}`;
  expect(archive?.facts.messages).toMatchObject({ customer: 2, agent: 1 });
  expect(archive?.summary).toContain('2 messages from the customer');
  await sql`update interactions set purged_at = now() where id = ${key.interactionId}`;
  expect(await leave(key, said('customer:3', 4))).toMatchObject([{ stored: false, reason: 'not_found' }]);
  const nowhere = { interactionId: '00000000-0000-4000-8000-000000000000', generation: 1 };
  expect(await leave(nowhere, said('customer:1', 1))).toMatchObject([{ stored: false, reason: 'not_found' }]);
});

it('rows of metrics come at their own times, once, while the interaction lasts', async () => {
  const { key } = await startInteraction(floor.db.service, floor.agent);
  const next = await succeed(key);
  const row = { sentiment: 'good', satisfaction_score: 70, feed_text: 'Asks.' } as const;
  const left = [{ ...row, interaction_id: key.interactionId, generation: key.generation, timestamp: at(5) }];
  expect(await recordLeftMetrics(floor.db.service, left)).toEqual({ stored: 1 });
  expect(await recordLeftMetrics(floor.db.service, left)).toEqual({ stored: 0 });
  await completeInteraction(floor.db.service, { ...next, status: 'completed', endReason: 'customer_left' });
  const late = left.map((one) => ({ ...one, timestamp: at(6) }));
  expect(await recordLeftMetrics(floor.db.service, late)).toEqual({ stored: 0 });
});
