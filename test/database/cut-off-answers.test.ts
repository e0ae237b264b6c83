import { afterAll, beforeAll, expect, it } from 'vitest';
import { appendInterim } from '../../src/database/changes.ts';
import { claimInteraction, completeInteraction } from '../../src/database/interactions.ts';
import { releaseLease } from '../../src/database/leases.ts';
import { appendRecords } from '../../src/database/records.ts';
import { loadSession } from '../../src/database/session-load.ts';
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

/** What is shown of an answer so far. */
const show = ({ interactionId, generation }: Key, item_id: string, content: string, second: number) =>
  appendInterim(floor.db.service, {
    rows: [
      { interaction_id: interactionId, generation, item_id, role: 'agent', content, began_at: at(second) },
    ],
  });

const store = ({ interactionId, generation }: Key, item_id: string, content: string, second: number) =>
  appendRecords(floor.db.service, [
    {
      interaction_id: interactionId,
      generation,
      messages: [
        {
          item_id,
          role: 'agent',
          content,
          spoken_at: at(second),
          metadata: { mark: { answers: null, settled: [] } },
        },
      ],
    },
  ]);

/** The next generation, and what it finds of the agent's words. */
async function succeed({ interactionId, generation }: Key) {
  const { service } = floor.db;
  await releaseLease(service, { interactionId, generation });
  const claim = await claimInteraction(service, { interactionId, workerId: 'worker-b', leaseSeconds: 30 });
  if (!claim.claimed) throw new Error(`not claimed: ${claim.reason}`);
  const key = { interactionId, generation: claim.generation };
  const { messages } = await loadSession(service, key);
  return {
    key,
    said: messages.map(({ content, interrupted, metadata }) => ({ content, interrupted, metadata })),
  };
}
const complete = (content: string) =>
  expect.objectContaining({ content, interrupted: false, metadata: { mark: expect.anything() } });
const cutOff = (content: string) => ({ content, interrupted: true, metadata: { cut_off: true } });

it('what was shown of an answer whose process died is in the transcript of its successor, once', async () => {
  const { key } = await startInteraction(floor.db.service, floor.agent);
  await store(key, 'agent:1', 'Hello.', 1);
  await show(key, 'agent:2', 'Your order', 2);
  await show(key, 'agent:2', 'Your order is on', 2);
  const second = await succeed(key);
  expect(second.said).toEqual([complete('Hello.'), cutOff('Your order is on')]);
  // The dead one was only stopped, and wakes up.
  await show(key, 'agent:2', 'Your order is on its way.', 2);
  const third = await succeed(second.key);
  expect(third.said).toEqual(second.said);
});

it('an answer that was stored is not there again as a part of itself', async () => {
  const { key } = await startInteraction(floor.db.service, floor.agent);
  await show(key, 'agent:1', 'Your order', 1);
  await store(key, 'agent:1', 'Your order is on its way.', 2);
  expect((await succeed(key)).said).toEqual([complete('Your order is on its way.')]);
});

it('a part that comes late, after its answer was stored under whatever id, says nothing', async () => {
  const { key } = await startInteraction(floor.db.service, floor.agent);
  await store(key, 'agent:1', 'Your order is on its way.', 3);
  expect(await show(key, 'agent:1', 'Your order', 1)).toEqual({ told: 0, refused: 1 });
  await show(key, 'agent:other', 'Your order', 2);
  expect((await succeed(key)).said).toEqual([complete('Your order is on its way.')]);
});

it('of two utterances the newer one is unfinished, whichever part arrives last', async () => {
  const { key } = await startInteraction(floor.db.service, floor.agent);
  await show(key, 'agent:2', 'And besides', 5);
  await show(key, 'agent:1', 'Your order', 2);
  expect((await succeed(key)).said).toEqual([cutOff('And besides')]);
});

it('speech that is only told to those who watch is kept nowhere', async () => {
  const { key } = await startInteraction(floor.db.service, floor.agent);
  const row = { interaction_id: key.interactionId, generation: key.generation, content: 'I would like' };
  await appendInterim(floor.db.service, {
    rows: [
      { ...row, item_id: 'customer:1', role: 'customer', began_at: at(1) },
      { ...row, item_id: 'agent:1', role: 'agent' },
    ],
  });
  expect((await succeed(key)).said).toEqual([]);
});

it('an interaction that ends in mid-answer has what was shown of it in its transcript, and nothing stays behind', async () => {
  const { id, key } = await startInteraction(floor.db.service, floor.agent);
  await show(key, 'agent:1', 'Your order is', 1);
  await completeInteraction(floor.db.service, { ...key, status: 'failed', endReason: 'recovery_failed' });
  const rows = await floor.db.sql`
    select content, interrupted, metadata from interaction_messages where interaction_id = ${id}`;
  expect([...rows]).toEqual([cutOff('Your order is')]);
  const left = await floor.db.sql`
    select from floorwalker.unfinished_answers where interaction_id = ${id}`;
  expect(left).toHaveLength(0);
});
