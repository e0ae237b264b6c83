import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { completeInteraction, requestSupervisor, setPhoneNumber } from '../../src/database/interactions.ts';
import { touchPresence } from '../../src/database/people.ts';
import { appendRecords, recordMetrics } from '../../src/database/records.ts';
import { type Floor, setupFloor, startInteraction } from './floor.ts';

let floor: Floor;
beforeAll(async () => {
  floor = await setupFloor();
});
afterAll(() => floor?.db.stop());

const code = (expected: string) => expect.objectContaining({ code: expected });

describe('records', () => {
  it('keeps order, drops repeats, and corrects an interrupted utterance', async () => {
    const { id, key } = await startInteraction(floor.db.service, floor.agent);
    const batch = {
      interaction_id: id,
      generation: key.generation,
      messages: [
        { item_id: 'a', role: 'agent' as const, content: 'Hello, how can I' },
        { item_id: 'b', role: 'customer' as const, content: 'Hi', metadata: { via: 'chat' } },
      ],
      steps: [{ step_id: 's1', step_type: 'llm_call', duration_ms: 12.6, tokens_input: 3 }],
    };
    for (let n = 0; n < 2; n += 1) {
      expect(await appendRecords(floor.db.service, [batch])).toEqual([{ interaction_id: id, stored: true }]);
    }
    await appendRecords(floor.db.service, [
      {
        ...batch,
        steps: [],
        messages: [{ item_id: 'a', role: 'agent', content: 'Hello, how', interrupted: true }],
      },
    ]);
    const messages = await floor.db.sql`
      select seq::int, item_id, content, interrupted from interaction_messages where interaction_id = ${id} order by seq`;
    expect([...messages]).toEqual([
      { seq: 1, item_id: 'a', content: 'Hello, how', interrupted: true },
      { seq: 2, item_id: 'b', content: 'Hi', interrupted: false },
    ]);
    const steps = await floor.db.sql`select duration_ms from interaction_steps where interaction_id = ${id}`;
    expect([...steps]).toEqual([{ duration_ms: 13 }]);
  });

  it('stores what PostgreSQL would refuse, without the part it refuses', async () => {
    const { id, key } = await startInteraction(floor.db.service, floor.agent);
    const content = 'a\u0000b\ud800c';
    const [stored] = await appendRecords(floor.db.service, [
      {
        interaction_id: id,
        generation: key.generation,
        messages: [{ item_id: 'x', role: 'customer', content }],
      },
    ]);
    expect(stored?.stored).toBe(true);
    const [row] = await floor.db.sql`select content from interaction_messages where interaction_id = ${id}`;
    expect(row?.content).toBe('ab\ufffdc');
  });

  it('orders 40 writers of one interaction without a gap', async () => {
    const { id, key } = await startInteraction(floor.db.service, floor.agent);
    await Promise.all(
      Array.from({ length: 40 }, (_, n) =>
        appendRecords(floor.db.service, [
          {
            interaction_id: id,
            generation: key.generation,
            messages: [{ item_id: `m${n}`, role: 'customer', content: `${n}` }],
          },
        ]),
      ),
    );
    const [row] = await floor.db.sql`
      select count(*)::int as n, max(seq)::int as last from interaction_messages where interaction_id = ${id}`;
    expect(row).toEqual({ n: 40, last: 40 });
  });

  it('still takes the last words after the end, but no metrics', async () => {
    const { id, key } = await startInteraction(floor.db.service, floor.agent);
    await completeInteraction(floor.db.service, { ...key, status: 'completed', endReason: 'customer_left' });
    const metric = {
      interaction_id: id,
      generation: 1,
      timestamp: new Date().toISOString(),
      sentiment: 'good' as const,
      satisfaction_score: 80,
      feed_text: 'x',
    };
    expect(await recordMetrics(floor.db.service, [metric])).toEqual({ stored: 0, refused: 1 });
    const [stored] = await appendRecords(floor.db.service, [
      { interaction_id: id, generation: 1, messages: [{ item_id: 'bye', role: 'agent', content: 'Bye' }] },
    ]);
    expect(stored?.stored).toBe(true);
  });

  it('takes a metrics batch twice and keeps it once, with at most 120 characters', async () => {
    const { id, key } = await startInteraction(floor.db.service, floor.agent);
    const metric = {
      interaction_id: id,
      generation: key.generation,
      timestamp: new Date().toISOString(),
      sentiment: 'critical' as const,
      satisfaction_score: 12.345,
      feed_text: 'y'.repeat(300),
    };
    expect(await recordMetrics(floor.db.service, [metric])).toEqual({ stored: 1, refused: 0 });
    expect(await recordMetrics(floor.db.service, [metric])).toEqual({ stored: 1, refused: 0 });
    const rows = await floor.db
      .sql`select length(feed_text)::int as n from realtime_metrics where interaction_id = ${id}`;
    expect([...rows]).toEqual([{ n: 120 }]);
  });

  it('stores measurements beside messages and a heartbeat of the same conversation, and never behind its end', async () => {
    const { service, sql } = floor.db;
    const { id, key } = await startInteraction(service, floor.agent);
    const metric = (second: number) => ({
      interaction_id: id,
      generation: key.generation,
      timestamp: `2026-03-01T10:00:0${second}Z`,
      sentiment: 'good' as const,
      satisfaction_score: 70,
      feed_text: 'Asks for a refund.',
    });
    const message = { item_id: 'm', role: 'customer', content: 'Hello' };
    const batch = [{ interaction_id: id, generation: key.generation, messages: [message] }];
    await sql.begin(async (tx) => {
      await tx`select append_records(${tx.json(batch)})`;
      await tx`update interactions set lease_until = lease_until + interval '1 s' where id = ${id}`;
      // None of it is committed.
      expect(await recordMetrics(service, [metric(1)])).toEqual({ stored: 1, refused: 0 });
    });
    const late = await sql.begin(async (tx) => {
      await tx`select complete_interaction(${id}, ${key.generation}, 'completed', 'customer_left')`;
      const stored = recordMetrics(service, [metric(2)]);
      await expect
        .poll(async () => {
          const [row] = await sql`select count(*)::int as waiting from pg_stat_activity
            where datname = current_database() and wait_event_type = 'Lock' and query like '%record_metrics%'`;
          return row?.waiting;
        })
        .toBe(1);
      return { stored };
    });
    expect(await late.stored).toEqual({ stored: 0, refused: 1 });
    const [left] = await sql`select count(*)::int as rows from realtime_metrics where interaction_id = ${id}`;
    expect(left?.rows).toBe(0);
  });

  it('links the customer by number, and keeps a trusted number over a claimed one', async () => {
    const { key } = await startInteraction(floor.db.service, floor.agent);
    const set = (phoneNumber: string, source: 'claimed' | 'sip' | 'verified') =>
      setPhoneNumber(floor.db.service, { ...key, phoneNumber, source });
    const first = await set('+31612345678', 'claimed');
    expect(first).toMatchObject({ stored: true, phone_source: 'claimed', customer_id: expect.any(String) });
    expect(await set('+31612345678', 'verified')).toMatchObject({
      phone_source: 'verified',
      customer_id: first.customer_id,
    });
    expect(await set('+31687654321', 'claimed')).toMatchObject({
      stored: false,
      reason: 'trusted_number_kept',
      phone_number: '+31612345678',
    });
    expect(await set('+31612345678', 'claimed')).toMatchObject({ stored: true, phone_source: 'verified' });
    await expect(set('12', 'claimed')).rejects.toEqual(code('invalid_phone_number'));
  });

  it('knows whether a supervisor is there', async () => {
    const { id, key } = await startInteraction(floor.db.service, floor.agent);
    await floor.db.sql`update users set last_seen_at = null`;
    const ask = () => requestSupervisor(floor.db.service, { ...key, reason: 'wants a human' });
    expect(await ask()).toEqual({ supervisor_present: false });
    await touchPresence(floor.colleague.client);
    expect(await ask()).toEqual({ supervisor_present: false });
    await touchPresence(floor.cover.client);
    expect(await ask()).toEqual({ supervisor_present: true });
    const [row] = await floor.db
      .sql`select supervisor_request_reason as reason from interactions where id = ${id}`;
    expect(row).toEqual({ reason: 'wants a human' });
  });
});
