import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import {
  claimableInteractions,
  claimInteraction,
  completeInteraction,
  createInteraction,
  heartbeat,
  pollSessions,
  reapUnjoined,
  releaseLease,
  requestSupervisor,
  setPhoneNumber,
} from '../../src/database/interactions.ts';
import { withdrawPermissions } from '../../src/database/permissions.ts';
import { appendRecords, recordMetrics } from '../../src/database/records.ts';
import { finishToolCall, requestToolCall, startToolCall } from '../../src/database/tool-calls.ts';
import { type Floor, newCall, newInteraction, setupFloor, startInteraction } from './floor.ts';

let floor: Floor;
beforeAll(async () => {
  floor = await setupFloor();
});
afterAll(() => floor?.db.stop());

const code = (expected: string) => expect.objectContaining({ code: expected });

describe('leases', () => {
  it('gives an interaction to one of 30 workers', async () => {
    const { interaction_id } = await createInteraction(floor.db.service, newInteraction(floor.agent));
    const claims = await Promise.all(
      Array.from({ length: 30 }, (_, n) =>
        claimInteraction(floor.db.service, {
          interactionId: interaction_id,
          workerId: `w${n}`,
          leaseSeconds: 30,
        }),
      ),
    );
    expect(claims.filter((claim) => claim.claimed)).toHaveLength(1);
    expect(claims.filter((claim) => !claim.claimed && claim.reason === 'held')).toHaveLength(29);
  });

  it('starts with the agent as it was, and keeps to it when the agent is edited', async () => {
    const agent = await floor.db.createAgent({
      businessId: floor.business.id,
      systemPrompt: 'first',
      tools: [{ toolName: 'find_order', toolConfig: { transport: 'stdio', server: 'orders' } }],
    });
    const first = await startInteraction(floor.db.service, agent);
    expect(first).toMatchObject({ recovered: false, generation: 1, snapshot: { system_prompt: 'first' } });
    expect(first.snapshot.tools).toHaveLength(1);
    await floor.db.sql`update agents set system_prompt = 'second' where id = ${agent.id}`;
    await floor.db.sql`update interactions set lease_until = now() where id = ${first.id}`;
    const again = await claimInteraction(floor.db.service, {
      interactionId: first.id,
      workerId: 'b',
      leaseSeconds: 30,
    });
    expect(again).toMatchObject({
      claimed: true,
      recovered: true,
      generation: 2,
      snapshot: { system_prompt: 'first' },
      agent: { system_prompt: 'second' },
    });
  });

  it('keeps to the most an agent takes at once, also when all claim together', async () => {
    const agent = await floor.db.createAgent({ businessId: floor.business.id, maxConcurrentInteractions: 2 });
    const created = await Promise.all(
      Array.from({ length: 8 }, () => createInteraction(floor.db.service, newInteraction(agent))),
    );
    const claims = await Promise.all(
      created.map(({ interaction_id }) =>
        claimInteraction(floor.db.service, {
          interactionId: interaction_id,
          workerId: 'w',
          leaseSeconds: 30,
        }),
      ),
    );
    expect(claims.filter((claim) => claim.claimed)).toHaveLength(2);
    expect(claims.filter((claim) => !claim.claimed && claim.reason === 'agent_at_capacity')).toHaveLength(6);
    const offered = await claimableInteractions(floor.db.service, { limit: 1000 });
    const mine = new Set(created.map(({ interaction_id }) => interaction_id));
    expect(offered.filter(({ interaction_id }) => mine.has(interaction_id))).toEqual([]);
  });

  it('renews for the holder and tells a replaced one', async () => {
    const mine = await startInteraction(floor.db.service, floor.agent);
    const beat = () =>
      heartbeat(floor.db.service, { workerId: 'worker-a', leases: [mine.key], leaseSeconds: 30 });
    expect(await beat()).toEqual([{ interaction_id: mine.id, held: true }]);
    expect(await releaseLease(floor.db.service, mine.key)).toBe(true);
    const offered = await claimableInteractions(floor.db.service, { limit: 1000 });
    expect(offered.map(({ interaction_id }) => interaction_id)).toContain(mine.id);
    const next = await claimInteraction(floor.db.service, {
      interactionId: mine.id,
      workerId: 'b',
      leaseSeconds: 30,
    });
    expect(next.claimed).toBe(true);
    expect(await beat()).toEqual([{ interaction_id: mine.id, held: false }]);
    expect(await releaseLease(floor.db.service, mine.key)).toBe(false);
  });

  it('says that an unknown or ended interaction can not be claimed', async () => {
    const ended = await startInteraction(floor.db.service, floor.agent);
    await completeInteraction(floor.db.service, {
      ...ended.key,
      status: 'completed',
      endReason: 'customer_left',
    });
    const claim = (interactionId: string) =>
      claimInteraction(floor.db.service, { interactionId, workerId: 'w', leaseSeconds: 30 });
    expect(await claim(ended.id)).toEqual({ claimed: false, reason: 'ended' });
    expect(await claim('00000000-0000-4000-8000-000000000000')).toEqual({
      claimed: false,
      reason: 'not_found',
    });
  });

  it('refuses every write of a replaced session', async () => {
    const old = await startInteraction(floor.db.service, floor.agent);
    const call = await requestToolCall(floor.db.service, newCall(old, { requires_permission: false }));
    await releaseLease(floor.db.service, old.key);
    await claimInteraction(floor.db.service, { interactionId: old.id, workerId: 'b', leaseSeconds: 30 });
    const { service } = floor.db;
    const callId = call.call.call_id;

    expect(
      await appendRecords(service, [
        {
          interaction_id: old.id,
          generation: 1,
          messages: [{ item_id: 'x', role: 'agent', content: 'late' }],
        },
      ]),
    ).toEqual([{ interaction_id: old.id, stored: false, reason: 'stale' }]);
    expect(
      await recordMetrics(service, [
        {
          interaction_id: old.id,
          generation: 1,
          timestamp: new Date().toISOString(),
          sentiment: 'good',
          satisfaction_score: 50,
          feed_text: '',
        },
      ]),
    ).toEqual({ stored: 0, refused: 1 });
    expect(await startToolCall(service, { ...old.key, callId, argumentsHash: 'hash-of-1042' })).toMatchObject(
      { started: false, reason: 'stale' },
    );
    const refused = [
      () => requestToolCall(service, newCall(old)),
      () => finishToolCall(service, { ...old.key, callId, state: 'failed' }),
      () => setPhoneNumber(service, { ...old.key, phoneNumber: '+31201234567', source: 'claimed' }),
      () => requestSupervisor(service, { ...old.key, reason: 'help' }),
      () => completeInteraction(service, { ...old.key, status: 'completed', endReason: 'x' }),
      () => withdrawPermissions(service, old.key),
    ];
    for (const attempt of refused) await expect(attempt()).rejects.toEqual(code('stale_generation'));
    expect((await pollSessions(service, [old.key]))[0]).toMatchObject({ held: false });
  });

  it('ends what nobody joined or carried on, and leaves who waits in the room', async () => {
    const agent = await floor.db.createAgent({ businessId: floor.business.id });
    const create = async () =>
      (await createInteraction(floor.db.service, newInteraction(agent))).interaction_id;
    const [gone, waiting, fresh] = [await create(), await create(), await create()];
    const lost = await startInteraction(floor.db.service, agent);
    await floor.db
      .sql`update interactions set queued_at = now() - interval '10 minutes' where id = any(${[gone, waiting]})`;
    await floor.db.sql`update interactions set lease_until = now() - interval '1 hour' where id = ${lost.id}`;
    const reaped = await reapUnjoined(floor.db.service, { afterSeconds: 120, present: [waiting] });
    expect(reaped).toEqual(expect.arrayContaining([gone, lost.id]));
    expect(reaped).not.toContain(waiting);
    expect(reaped).not.toContain(fresh);
    const rows = await floor.db.sql`select status, end_reason from interactions where id = ${gone}`;
    expect(rows[0]).toEqual({ status: 'failed', end_reason: 'nobody_joined' });
  });
});
