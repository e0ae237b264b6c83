import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { completeCallback, requestCallback } from '../../src/database/callbacks.ts';
import {
  handBack,
  monitorInteraction,
  releaseControl,
  takeOver,
  takeWhispers,
  touchPresences,
  whisper,
} from '../../src/database/control.ts';
import {
  claimInteraction,
  completeInteraction,
  createInteraction,
  pollSessions,
  requestSupervisor,
} from '../../src/database/interactions.ts';
import { escalateRequests } from '../../src/database/permissions.ts';
import { loadSession } from '../../src/database/session-load.ts';
import { isFloorwalkerError } from '../../src/errors.ts';
import type { Person } from '../support/fixtures.ts';
import { type Floor, newInteraction, setupFloor, startInteraction } from './floor.ts';

let floor: Floor;
beforeAll(async () => {
  floor = await setupFloor();
});
afterAll(() => floor?.db.stop());

const begin = () => startInteraction(floor.db.service, floor.agent);
const take = (person: Person, interactionId: string, insist = false) =>
  takeOver(person.client, { interactionId, insist });
const giveBack = (person: Person, interactionId: string, note?: string) =>
  handBack(person.client, { interactionId, note: note ?? null });
async function polled(key: { interactionId: string; generation: number }) {
  const [news] = await pollSessions(floor.db.service, [key]);
  if (!news) throw new Error('no news');
  return news;
}
const steps = (id: string) => floor.db.sql`
  select step_type, input, output from interaction_steps where interaction_id = ${id} order by id`;
const audits = (id: string) => floor.db.sql`
  select action, actor_id, actor_kind, details from audit_events where subject_id = ${id} order by id`;

describe('taking over', () => {
  it('names the person in the row, the poll, the trace and the audit log', async () => {
    const mine = await begin();
    const taken = await take(floor.supervisor, mine.id);
    expect(taken).toMatchObject({
      control: 'supervisor',
      controlled_by: floor.supervisor.id,
      controlled_by_name: floor.supervisor.name,
      taken_from: null,
    });
    expect(await polled(mine.key)).toMatchObject({
      control: 'supervisor',
      controlled_by: floor.supervisor.id,
      controlled_by_name: floor.supervisor.name,
    });
    expect(await steps(mine.id)).toMatchObject([
      { step_type: 'takeover', output: { by: floor.supervisor.id, by_name: floor.supervisor.name } },
    ]);
    expect(await audits(mine.id)).toMatchObject([
      { action: 'interaction.takeover', actor_id: floor.supervisor.id, actor_kind: 'user' },
    ]);
  });

  it('again by the same person changes nothing: their page was reloaded', async () => {
    const mine = await begin();
    const first = await take(floor.cover, mine.id);
    const second = await take(floor.cover, mine.id);
    expect(second.control_changed_at).toBe(first.control_changed_at);
    expect(await steps(mine.id)).toHaveLength(1);
    expect(await audits(mine.id)).toHaveLength(1);
  });

  it.each(['cover', 'supervisor'] as const)('is refused to the %s while an admin has it', async (who) => {
    const mine = await begin();
    const held = await take(floor.admin, mine.id);
    for (const insist of [false, true]) {
      await expect(take(floor[who], mine.id, insist)).rejects.toMatchObject({
        code: 'control_held',
        details: {
          controlled_by: floor.admin.id,
          controlled_by_name: floor.admin.name,
          since: held.control_changed_at,
        },
      });
    }
  });

  it('is the admin’s who insists, and says from whom', async () => {
    const mine = await begin();
    await take(floor.supervisor, mine.id);
    await expect(take(floor.admin, mine.id)).rejects.toMatchObject({ code: 'control_held' });
    const taken = await take(floor.admin, mine.id, true);
    expect(taken).toMatchObject({ controlled_by: floor.admin.id, taken_from: floor.supervisor.id });
    await expect(giveBack(floor.supervisor, mine.id)).rejects.toMatchObject({ code: 'control_not_held' });
    const log = await audits(mine.id);
    expect(log.at(-1)).toMatchObject({
      action: 'interaction.takeover',
      actor_id: floor.admin.id,
      details: { insisted: true, from: floor.supervisor.id, from_name: floor.supervisor.name },
    });
  });

  it('of 15 who try at once is one person’s, and the others are told whose', async () => {
    for (let round = 0; round < 8; round += 1) {
      const mine = await begin();
      const people = [floor.supervisor, floor.cover, floor.admin];
      const answers = await Promise.all(
        Array.from({ length: 15 }, async (_, n) => {
          const person = people[n % 3] as Person;
          try {
            return { person: person.id, holder: (await take(person, mine.id)).controlled_by };
          } catch (error) {
            if (!isFloorwalkerError(error, 'control_held')) throw error;
            return { person: person.id, holder: error.details.controlled_by };
          }
        }),
      );
      const holders = new Set(answers.map(({ holder }) => holder));
      expect(holders.size).toBe(1);
      const [row] = await floor.db.sql`select controlled_by from interactions where id = ${mine.id}`;
      expect([...holders]).toEqual([row?.controlled_by]);
      expect(await steps(mine.id)).toHaveLength(1);
    }
  }, 30_000);

  it('is possible only in a conversation that is going on', async () => {
    const { interaction_id: waiting } = await createInteraction(
      floor.db.service,
      newInteraction(floor.agent),
    );
    await expect(take(floor.supervisor, waiting)).rejects.toMatchObject({
      code: 'interaction_not_active',
      details: { status: 'queued' },
    });
    const ended = await begin();
    await completeInteraction(floor.db.service, { ...ended.key, status: 'completed', endReason: 'x' });
    for (const attempt of [
      () => take(floor.supervisor, ended.id),
      () => giveBack(floor.supervisor, ended.id),
      () => whisper(floor.supervisor.client, { interactionId: ended.id, text: 'x' }),
      () => monitorInteraction(floor.supervisor.client, { interactionId: ended.id }),
    ]) {
      await expect(attempt()).rejects.toMatchObject({ code: 'interaction_not_active' });
    }
  });

  it.each(['colleague', 'stranger', 'strangeAdmin'] as const)('is nothing for the %s', async (who) => {
    const mine = await begin();
    const { client } = floor[who];
    for (const attempt of [
      () => take(floor[who], mine.id, true),
      () => giveBack(floor[who], mine.id),
      () => whisper(client, { interactionId: mine.id, text: 'x' }),
      () => monitorInteraction(client, { interactionId: mine.id }),
    ]) {
      await expect(attempt()).rejects.toMatchObject({ code: 'interaction_not_found' });
    }
    expect(await steps(mine.id)).toHaveLength(0);
  });

  it('outlives the worker: the next generation finds who has control', async () => {
    const mine = await begin();
    await take(floor.supervisor, mine.id);
    await floor.db.sql`update interactions set lease_until = clock_timestamp() where id = ${mine.id}`;
    const claim = await claimInteraction(floor.db.service, {
      interactionId: mine.id,
      workerId: 'worker-b',
      leaseSeconds: 30,
    });
    if (!claim.claimed) throw new Error('not claimed');
    const loaded = await loadSession(floor.db.service, {
      interactionId: mine.id,
      generation: claim.generation,
    });
    expect(loaded.interaction).toMatchObject({
      control: 'supervisor',
      controlled_by: floor.supervisor.id,
      controlled_by_name: floor.supervisor.name,
    });
  });

  it('ends with the interaction', async () => {
    const mine = await begin();
    await take(floor.supervisor, mine.id);
    await completeInteraction(floor.db.service, { ...mine.key, status: 'completed', endReason: 'x' });
    const [row] = await floor.db.sql`
      select control, controlled_by, controlled_by_name from interactions where id = ${mine.id}`;
    expect(row).toEqual({ control: 'agent', controlled_by: null, controlled_by_name: null });
  });
});

describe('handing back', () => {
  it('gives the agent control and the note, which stays with the conversation', async () => {
    const mine = await begin();
    await take(floor.supervisor, mine.id);
    await giveBack(floor.supervisor, mine.id, '  A voucher of 10 was promised.  ');
    const news = await polled(mine.key);
    expect(news).toMatchObject({
      control: 'agent',
      controlled_by: null,
      controlled_by_name: null,
      whispers: [
        { kind: 'hand_back', text: 'A voucher of 10 was promised.', by_name: floor.supervisor.name },
      ],
    });
    expect((await steps(mine.id)).map(({ step_type }) => step_type)).toEqual(['takeover', 'hand_back']);
    expect((await audits(mine.id)).at(-1)).toMatchObject({
      action: 'interaction.handback',
      details: { with_note: true },
    });
  });

  it('is only for who has control', async () => {
    const mine = await begin();
    await expect(giveBack(floor.supervisor, mine.id)).rejects.toMatchObject({ code: 'control_not_held' });
    await take(floor.supervisor, mine.id);
    await expect(giveBack(floor.admin, mine.id)).rejects.toMatchObject({
      code: 'control_not_held',
      details: { controlled_by: floor.supervisor.id },
    });
  });

  it('by the session, when the grace period is over, is that person’s control and nobody else’s', async () => {
    const mine = await begin();
    await take(floor.supervisor, mine.id);
    await take(floor.admin, mine.id, true);
    const release = (controlledBy: string) =>
      releaseControl(floor.db.service, { ...mine.key, reason: 'grace_over', controlledBy });
    expect(await release(floor.supervisor.id)).toMatchObject({ released: false, control: 'supervisor' });
    expect(await release(floor.admin.id)).toMatchObject({ released: true, control: 'agent' });
    expect((await audits(mine.id)).at(-1)).toMatchObject({
      action: 'interaction.control_released',
      actor_kind: 'service',
      details: { reason: 'grace_over', controlled_by: floor.admin.id },
    });
    await expect(
      releaseControl(floor.db.service, {
        ...mine.key,
        generation: 0,
        reason: 'x',
        controlledBy: floor.admin.id,
      }),
    ).rejects.toMatchObject({ code: 'stale_generation' });
  });
});

describe('a whisper', () => {
  it('is polled until it is taken, once, and is part of every later session', async () => {
    const mine = await begin();
    await whisper(floor.cover.client, { interactionId: mine.id, text: 'offer free shipping' });
    const [waiting] = (await polled(mine.key)).whispers;
    expect(waiting).toMatchObject({
      kind: 'whisper',
      text: 'offer free shipping',
      by_name: floor.cover.name,
    });
    const ids = [waiting?.id ?? ''];
    expect(await takeWhispers(floor.db.service, { ...mine.key, ids })).toBe(1);
    expect(await takeWhispers(floor.db.service, { ...mine.key, ids })).toBe(0);
    expect((await polled(mine.key)).whispers).toEqual([]);
    expect((await loadSession(floor.db.service, mine.key)).whispers).toMatchObject([{ id: ids[0] }]);
    expect(await steps(mine.id)).toMatchObject([
      { step_type: 'whisper', input: { text: 'offer free shipping' } },
    ]);
    // The log says that it was told, not what: it is kept longer than conversations are.
    expect(JSON.stringify(await audits(mine.id))).not.toContain('shipping');
  });

  it('has 1 to 2,000 characters', async () => {
    const { id: interactionId } = await begin();
    for (const text of ['', '   ', 'x'.repeat(2_001)]) {
      await expect(whisper(floor.cover.client, { interactionId, text })).rejects.toMatchObject({
        code: 'invalid_whisper',
      });
    }
  });

  it('is removed with what else an interaction contained', async () => {
    const mine = await begin();
    await whisper(floor.cover.client, { interactionId: mine.id, text: 'x' });
    await requestCallback(floor.db.service, { ...mine.key, reason: 'x', phoneNumber: '+31201234567' });
    await completeInteraction(floor.db.service, { ...mine.key, status: 'completed', endReason: 'x' });
    await floor.db.sql`select floorwalker.purge_interaction(${mine.id})`;
    const [left] = await floor.db.sql`
      select (select count(*)::int from whispers where interaction_id = ${mine.id}) as whispers,
        (select count(*)::int from callback_requests where interaction_id = ${mine.id}) as callbacks`;
    expect(left).toEqual({ whispers: 0, callbacks: 0 });
  });
});

describe('being there', () => {
  it('is known of several people at once, and makes the answer to a customer’s request honest', async () => {
    const fresh = await setupFloor();
    const { db } = fresh;
    try {
      const mine = await startInteraction(db.service, fresh.agent);
      const ask = () => requestSupervisor(db.service, { ...mine.key, reason: 'a person please' });
      expect(await ask()).toEqual({ supervisor_present: false });
      expect(await touchPresences(db.service, [fresh.colleague.id, fresh.strangeAdmin.id])).toBe(2);
      expect(await ask()).toEqual({ supervisor_present: false });
      await touchPresences(db.service, [fresh.cover.id, fresh.colleague.id]);
      expect(await ask()).toEqual({ supervisor_present: true });
      await db.sql`update users set last_seen_at = clock_timestamp() - interval '61 seconds' where id = ${fresh.cover.id}`;
      expect(await ask()).toEqual({ supervisor_present: false });
    } finally {
      await db.stop();
    }
  });

  it('a request is escalated once, is answered by a takeover, and a later one is one of its own', async () => {
    const mine = await begin();
    const ask = () => requestSupervisor(floor.db.service, { ...mine.key, reason: 'a person please' });
    const escalated = async () =>
      (await escalateRequests(floor.db.service, { afterSeconds: 0 })).filter(
        ({ interaction_id }) => interaction_id === mine.id,
      );
    const row = async () =>
      (
        await floor.db.sql`
        select supervisor_request_escalated_at is not null as escalated,
          supervisor_request_answered_at is not null as answered from interactions where id = ${mine.id}`
      )[0];
    await ask();
    expect(await escalated()).toHaveLength(1);
    expect(await escalated()).toHaveLength(0);
    expect((await steps(mine.id)).map(({ step_type }) => step_type)).toEqual(['escalated']);
    await take(floor.cover, mine.id);
    expect(await row()).toEqual({ escalated: true, answered: true });
    await giveBack(floor.cover, mine.id);
    expect(await escalated()).toHaveLength(0);
    await ask();
    expect(await row()).toEqual({ escalated: false, answered: false });
    expect(await escalated()).toHaveLength(1);
  });
});

describe('a call back', () => {
  const ask = (
    mine: Awaited<ReturnType<typeof begin>>,
    given: { phoneNumber?: string; preferredTime?: string } = {},
  ) => requestCallback(floor.db.service, { ...mine.key, reason: 'a broken parcel', ...given });

  it('needs a number, keeps it for the interaction, and is one request however often it is asked for', async () => {
    const mine = await begin();
    await expect(ask(mine)).rejects.toMatchObject({ code: 'phone_number_needed' });
    await expect(ask(mine, { phoneNumber: '0612' })).rejects.toMatchObject({ code: 'invalid_phone_number' });
    const first = await ask(mine, { phoneNumber: '+31612345678', preferredTime: 'after five' });
    const [known] = await floor.db
      .sql`select phone_number, phone_source from interactions where id = ${mine.id}`;
    expect(known).toEqual({ phone_number: '+31612345678', phone_source: 'claimed' });
    const second = await ask(mine, { phoneNumber: '+31687654321' });
    expect(second).toMatchObject({
      id: first.id,
      phone_number: '+31687654321',
      preferred_time: 'after five',
    });
  });

  it('is seen and closed by who reaches the agent, once', async () => {
    const mine = await begin();
    const { id } = await ask(mine, { phoneNumber: '+31612345678' });
    const seen = async ({ client }: Person) =>
      (await client.from('callback_requests').select('id').eq('id', id)).data?.length;
    for (const person of [floor.admin, floor.supervisor, floor.cover]) expect(await seen(person)).toBe(1);
    for (const person of [floor.colleague, floor.stranger, floor.strangeAdmin]) {
      expect(await seen(person)).toBe(0);
      await expect(completeCallback(person.client, { callbackId: id })).rejects.toMatchObject({
        code: 'callback_not_found',
      });
    }
    const done = await completeCallback(floor.cover.client, { callbackId: id, note: 'all well' });
    expect(done).toMatchObject({ done_by: floor.cover.id, done_by_name: floor.cover.name, note: 'all well' });
    expect(await completeCallback(floor.admin.client, { callbackId: id, note: 'me too' })).toEqual(done);
    // They asked again after that: a new call.
    expect((await ask(mine)).id).not.toBe(id);
  });
});
