import { randomUUID } from 'node:crypto';
import postgres, { type Sql } from 'postgres';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import {
  appendInterim,
  type Change,
  type ChangeWindow,
  readChanges,
  trimChanges,
  visibleAgentsOfPeople,
} from '../../src/database/changes.ts';
import { completeInteraction, heartbeat } from '../../src/database/interactions.ts';
import { appendRecords, recordMetrics } from '../../src/database/records.ts';
import { type Floor, gatedCall, setupFloor, startInteraction } from './floor.ts';

let floor: Floor;
const writers: Sql[] = [];

beforeAll(async () => {
  floor = await setupFloor();
});
afterEach(async () => {
  await Promise.all(writers.splice(0).map((writer) => writer.end({ timeout: 1 })));
});
afterAll(() => floor?.db.stop());

/** Reads all that was committed since `from`, as the API does. */
class Reader {
  #at: { epoch: string; from: string } | undefined;
  last: ChangeWindow | undefined;

  async begin(): Promise<this> {
    const { epoch, to } = await readChanges(floor.db.service);
    this.#at = { epoch, from: to };
    return this;
  }

  async read(): Promise<Change[]> {
    const all: Change[] = [];
    let to: string | undefined;
    let afterId = 0;
    for (;;) {
      const window = await readChanges(floor.db.service, { ...this.#at, to, afterId, limit: 3 });
      this.last = window;
      all.push(...window.changes);
      to = window.to;
      afterId = window.changes.at(-1)?.id ?? afterId;
      if (window.more) continue;
      this.#at = { epoch: window.epoch, from: window.to };
      return all;
    }
  }
}

/** A connection with an open transaction of its own. */
async function openTransaction(): Promise<Sql> {
  const writer = postgres(floor.db.databaseUrl, { max: 1, onnotice: () => {} });
  writers.push(writer);
  await writer`begin`;
  return writer;
}

/** One that has made its change, and with it has its place in the sequence, and is not committed. */
async function uncommittedNote(interactionId: string, note: string): Promise<Sql> {
  const writer = await openTransaction();
  await writer`update interactions set supervisor_notes = ${note} where id = ${interactionId}`;
  return writer;
}

const interactions = (changes: readonly Change[]) =>
  changes.filter(({ kind }) => kind === 'interaction').map(({ interaction_id }) => interaction_id);

describe('the change log', () => {
  it('tells a transaction that commits late once, though its number is lower than what was told before', async () => {
    const [slow, quick] = await Promise.all([
      startInteraction(floor.db.service, floor.agent),
      startInteraction(floor.db.service, floor.agent),
    ]);
    const reader = await new Reader().begin();
    const late = await uncommittedNote(slow.id, 'late');
    await floor.db.sql`update interactions set supervisor_notes = 'quick' where id = ${quick.id}`;
    expect(interactions(await reader.read())).toEqual([quick.id]);
    // The one that is still open holds nothing up.
    await floor.db.sql`update interactions set supervisor_notes = 'again' where id = ${quick.id}`;
    expect(interactions(await reader.read())).toEqual([quick.id]);
    await late`commit`;
    expect(interactions(await reader.read())).toEqual([slow.id]);
    expect(await reader.read()).toEqual([]);
  });

  it('tells each of many racing transactions exactly once', async () => {
    const { id } = await startInteraction(floor.db.service, floor.agent);
    const reader = await new Reader().begin();
    const told: string[] = [];
    const marks: string[] = [];
    let writing = true;
    const write = async (writer: number) => {
      const connection = postgres(floor.db.databaseUrl, { max: 1, onnotice: () => {} });
      writers.push(connection);
      for (let round = 0; round < 15; round += 1) {
        const item = `item-${writer}-${round}`;
        const marked = await connection.begin(async (tx) => {
          const [row] = await tx<{ id: string }[]>`
            insert into interaction_messages (interaction_id, item_id, seq, role, content)
            values (${id}, ${item}, ${writer * 1_000 + round}, 'customer', 'hello') returning id`;
          await tx`select pg_sleep(${Math.random() * 0.02})`;
          return row?.id ?? '';
        });
        marks.push(marked);
      }
    };
    const writes = Promise.all(Array.from({ length: 6 }, (_, writer) => write(writer))).finally(() => {
      writing = false;
    });
    while (writing) told.push(...(await reader.read()).map(({ subject }) => subject ?? ''));
    await writes;
    told.push(...(await reader.read()).map(({ subject }) => subject ?? ''));
    expect(marks).toHaveLength(90);
    expect([...told].sort()).toEqual([...marks].sort());
  });

  it('tells nothing of what was rolled back', async () => {
    const { id } = await startInteraction(floor.db.service, floor.agent);
    const reader = await new Reader().begin();
    const writer = await uncommittedNote(id, 'never');
    await writer`rollback`;
    expect(await reader.read()).toEqual([]);
  });

  it('can be read from any position again, and gives the same', async () => {
    const { id } = await startInteraction(floor.db.service, floor.agent);
    const { epoch, to: from } = await readChanges(floor.db.service);
    await floor.db.sql`update interactions set supervisor_notes = 'one' where id = ${id}`;
    const first = await readChanges(floor.db.service, { epoch, from });
    await floor.db.sql`update interactions set supervisor_notes = 'two' where id = ${id}`;
    const again = await readChanges(floor.db.service, { epoch, from, to: first.to });
    expect(again.changes).toEqual(first.changes);
    expect((await readChanges(floor.db.service, { epoch, from })).changes).toHaveLength(2);
  });

  it('has an entry for everything a supervisor watches, and none for a heartbeat', async () => {
    const reader = await new Reader().begin();
    const interaction = await startInteraction(floor.db.service, floor.agent);
    await reader.read();
    const entry = { interaction_id: interaction.id, generation: interaction.generation };

    await heartbeat(floor.db.service, { workerId: 'worker-a', leases: [interaction.key], leaseSeconds: 30 });
    expect(await reader.read()).toEqual([]);

    const timestamp = new Date().toISOString();
    await recordMetrics(floor.db.service, [
      { ...entry, timestamp, sentiment: 'critical', satisfaction_score: 31.5, feed_text: 'Wants a refund' },
    ]);
    const [metrics] = await reader.read();
    expect(metrics).toMatchObject({
      kind: 'metrics',
      agent_id: floor.agent.id,
      payload: { sentiment: 'critical', satisfaction_score: 31.5, feed_text: 'Wants a refund' },
    });

    await appendRecords(floor.db.service, [
      { ...entry, messages: [{ item_id: 'one', role: 'customer', content: 'Hello' }], steps: [] },
    ]);
    expect((await reader.read()).map(({ kind }) => kind)).toEqual(['message']);

    await gatedCall(floor.db.service, interaction);
    expect(new Set((await reader.read()).map(({ kind }) => kind))).toEqual(
      new Set(['tool_call', 'permission', 'interaction', 'agent']),
    );

    await completeInteraction(floor.db.service, {
      ...interaction.key,
      status: 'completed',
      endReason: 'customer_left',
    });
    expect((await reader.read()).map(({ kind }) => kind)).toContain('interaction');
  });

  it('leaves out rehearsals, which are not live', async () => {
    const reader = await new Reader().begin();
    const rehearsal = await startInteraction(floor.db.service, floor.agent, { kind: 'rehearsal' });
    expect(interactions(await reader.read())).not.toContain(rehearsal.id);
  });

  it('is trimmed, and says so to whoever comes back from before that', async () => {
    const { id } = await startInteraction(floor.db.service, floor.agent);
    const { epoch, to: old } = await readChanges(floor.db.service);
    await floor.db.sql`update interactions set supervisor_notes = 'old' where id = ${id}`;
    const { to: newer } = await readChanges(floor.db.service);
    // What is marked in one round goes in the next: nothing younger than the time between them is lost.
    await trimChanges(floor.db.service, { keepSeconds: 0 });
    await floor.db.sql`update interactions set supervisor_notes = 'new' where id = ${id}`;
    expect(await trimChanges(floor.db.service, { keepSeconds: 0 })).toBeGreaterThan(0);
    expect(await readChanges(floor.db.service, { epoch, from: old })).toMatchObject({
      intact: false,
      changes: [],
    });
    expect(await readChanges(floor.db.service, { epoch, from: newer })).toMatchObject({ intact: true });
    expect(interactions((await readChanges(floor.db.service, { epoch, from: newer })).changes)).toEqual([id]);
    expect(await trimChanges(floor.db.service)).toBe(0);
  });

  it('is another log after a crash emptied it', async () => {
    const { epoch, to: from } = await readChanges(floor.db.service);
    await floor.db.sql`truncate floorwalker.changes, floorwalker.change_log`;
    const read = await readChanges(floor.db.service, { epoch, from });
    expect(read.intact).toBe(false);
    expect(read.epoch).not.toBe(epoch);
  });

  it('refuses a position of the future, such as one of a database that was restored since', async () => {
    const { epoch } = await readChanges(floor.db.service);
    expect((await readChanges(floor.db.service, { epoch, from: '9000000000:9000000001:' })).intact).toBe(
      false,
    );
  });
});

describe('words that are being said', () => {
  it('are told while the interaction is active, in order, and stored nowhere else', async () => {
    const interaction = await startInteraction(floor.db.service, floor.agent);
    const reader = await new Reader().begin();
    const row = {
      interaction_id: interaction.id,
      generation: interaction.generation,
      role: 'customer' as const,
    };
    const told = await appendInterim(floor.db.service, {
      rows: [
        { ...row, item_id: 'turn', content: 'I want' },
        { ...row, item_id: 'turn', content: 'I want my' },
        { ...row, item_id: 'other', content: 'x', generation: interaction.generation - 1 },
        { ...row, item_id: 'other', content: 'x', interaction_id: randomUUID() },
      ],
    });
    expect(told).toEqual({ told: 2, refused: 2 });
    expect((await reader.read()).map(({ payload }) => payload)).toEqual([
      { item_id: 'turn', role: 'customer', content: 'I want' },
      { item_id: 'turn', role: 'customer', content: 'I want my' },
    ]);
    expect(
      await floor.db.sql`select from interaction_messages where interaction_id = ${interaction.id}`,
    ).toHaveLength(0);
  });

  it('do not open a turn again that is stored', async () => {
    const interaction = await startInteraction(floor.db.service, floor.agent);
    const entry = { interaction_id: interaction.id, generation: interaction.generation };
    await appendRecords(floor.db.service, [
      { ...entry, messages: [{ item_id: 'turn', role: 'customer', content: 'I want it' }], steps: [] },
    ]);
    const rows = [{ ...entry, item_id: 'turn', role: 'customer' as const, content: 'I want' }];
    expect(await appendInterim(floor.db.service, { rows })).toEqual({ told: 0, refused: 1 });
  });
});

describe('who may be told', () => {
  it('is whoever row level security lets see the agent', async () => {
    const { admin, supervisor, cover, colleague, stranger, strangeAdmin } = floor;
    const people = [admin, supervisor, cover, colleague, stranger, strangeAdmin];
    const visible = await visibleAgentsOfPeople(floor.db.service, { userIds: people.map(({ id }) => id) });
    for (const person of people) {
      const { data } = await person.client.from('agents').select('id');
      expect([...(visible.get(person.id) ?? [])].sort()).toEqual((data ?? []).map(({ id }) => id).sort());
    }
    expect(visible.get(supervisor.id)?.has(floor.agent.id)).toBe(true);
    expect(visible.get(stranger.id)?.has(floor.agent.id)).toBe(false);
  });

  it('is nobody who is not there any more', async () => {
    const person = await floor.db.createUser({ businessId: floor.business.id });
    await floor.db.sql`update users set deleted_at = now() where id = ${person.id}`;
    expect(await visibleAgentsOfPeople(floor.db.service, { userIds: [person.id, randomUUID()] })).toEqual(
      new Map(),
    );
  });
});
