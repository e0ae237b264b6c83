import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import {
  claimInteraction,
  completeInteraction,
  pollSessions,
  releaseLease,
} from '../../src/database/interactions.ts';
import { decidePermission, escalateRequests, withdrawPermissions } from '../../src/database/permissions.ts';
import { finishToolCall, requestToolCall, startToolCall } from '../../src/database/tool-calls.ts';
import { type Floor, gatedCall, newCall, setupFloor, startInteraction } from './floor.ts';

let floor: Floor;
beforeAll(async () => {
  floor = await setupFloor();
});
afterAll(() => floor?.db.stop());

const HASH = 'hash-of-1042';
const allow = (permissionId: string) =>
  decidePermission(floor.supervisor.client, { permissionId, decision: 'allowed' });
const begin = () => startInteraction(floor.db.service, floor.agent);

async function makeDue(permissionId: string): Promise<void> {
  await floor.db.sql`update tool_permissions set expires_at = clock_timestamp() where id = ${permissionId}`;
}
async function pausedAndStatus(interactionId: string) {
  const [row] = await floor.db.sql`
    select i.paused, a.status from interactions i join agents a on a.id = i.agent_id where i.id = ${interactionId}`;
  return row;
}

describe('a gated call', () => {
  it('pauses interaction and agent until it is decided', async () => {
    const agent = await floor.db.createAgent({
      businessId: floor.business.id,
      supervisorId: floor.supervisor.id,
    });
    const mine = await startInteraction(floor.db.service, agent);
    expect(await pausedAndStatus(mine.id)).toEqual({ paused: false, status: 'in_chat' });
    const first = await gatedCall(floor.db.service, mine);
    const second = await gatedCall(floor.db.service, mine);
    expect(first.call).toMatchObject({ state: 'awaiting_permission', requires_permission: true });
    expect(await pausedAndStatus(mine.id)).toEqual({ paused: true, status: 'paused' });
    await allow(first.permissionId);
    expect(await pausedAndStatus(mine.id)).toEqual({ paused: true, status: 'paused' });
    await allow(second.permissionId);
    expect(await pausedAndStatus(mine.id)).toEqual({ paused: false, status: 'in_chat' });
    await completeInteraction(floor.db.service, { ...mine.key, status: 'completed', endReason: 'x' });
    expect(await pausedAndStatus(mine.id)).toEqual({ paused: false, status: 'idle' });
  });

  it('expires after its time by the database’s clock', async () => {
    const { permission } = await gatedCall(floor.db.service, await begin(), {
      permission_timeout_seconds: 360,
    });
    const [row] = await floor.db.sql`
      select extract(epoch from expires_at - requested_at)::float as seconds from tool_permissions where id = ${permission?.id ?? ''}`;
    expect(row?.seconds).toBeCloseTo(360, 0);
  });

  it('is written once, also when it is requested again', async () => {
    const mine = await begin();
    const first = await gatedCall(floor.db.service, mine, { call_id: 'same' });
    const again = await requestToolCall(
      floor.db.service,
      newCall(mine, { call_id: 'same', arguments_hash: 'other' }),
    );
    expect(again).toMatchObject({
      existing: true,
      call: { arguments_hash: HASH },
      permission: { id: first.permissionId },
    });
  });

  it('is gated by the agent’s row even if the session thinks it is not', async () => {
    const agent = await floor.db.createAgent({
      businessId: floor.business.id,
      tools: [{ toolName: 'refund_order', requiresPermission: true }],
    });
    const mine = await startInteraction(floor.db.service, agent);
    const { call } = await requestToolCall(floor.db.service, newCall(mine, { requires_permission: false }));
    expect(call).toMatchObject({ state: 'awaiting_permission', requires_permission: true });
  });

  it('starts only when it is allowed, with the approved arguments, once', async () => {
    const mine = await begin();
    const { permissionId, callId } = await gatedCall(floor.db.service, mine);
    const start = (argumentsHash: string) =>
      startToolCall(floor.db.service, { ...mine.key, callId, argumentsHash });
    expect(await start(HASH)).toMatchObject({ started: false, reason: 'not_allowed' });
    await allow(permissionId);
    expect(await start('another hash')).toMatchObject({ started: false, reason: 'hash_mismatch' });
    const starts = await Promise.all(Array.from({ length: 20 }, () => start(HASH)));
    expect(starts.filter(({ started }) => started)).toHaveLength(1);
    expect(starts.filter(({ reason }) => reason === 'already_started')).toHaveLength(19);
    const finish = () =>
      finishToolCall(floor.db.service, {
        ...mine.key,
        callId,
        state: 'succeeded',
        output: 'ok',
        durationMs: 5.4,
      });
    expect(await finish()).toMatchObject({
      already: false,
      call: { state: 'succeeded', output: 'ok', duration_ms: 5 },
    });
    expect(await finish()).toMatchObject({ already: true });
    expect(await start(HASH)).toMatchObject({ started: false, reason: 'already_finished' });
  });

  it('runs with edited arguments under their own hash only', async () => {
    const mine = await begin();
    const { permissionId, callId } = await gatedCall(floor.db.service, mine);
    const decided = await decidePermission(floor.cover.client, {
      permissionId,
      decision: 'allowed',
      note: 'less',
      arguments: { order: 7 },
      argumentsHash: 'hash-of-7',
    });
    expect(decided).toMatchObject({
      status: 'allowed',
      edited_arguments: { order: 7 },
      edited_hash: 'hash-of-7',
      arguments: { order: 1042 },
      decided_by: floor.cover.id,
      decided_by_name: floor.cover.name,
    });
    const [polled] = await pollSessions(floor.db.service, [mine.key]);
    expect(polled?.permissions).toMatchObject([
      {
        id: permissionId,
        call_id: callId,
        status: 'allowed',
        note: 'less',
        edited_arguments: { order: 7 },
        decided_by_name: floor.cover.name,
      },
    ]);
    const start = (argumentsHash: string) =>
      startToolCall(floor.db.service, { ...mine.key, callId, argumentsHash });
    expect(await start(HASH)).toMatchObject({ started: false, reason: 'hash_mismatch' });
    expect(await start('hash-of-7')).toMatchObject({ started: true });
  });

  it.each([{ decision: 'maybe' }, { decision: 'allowed', arguments: { order: 7 } }])(
    'is not decided by %o',
    async (bad) => {
      const { permissionId } = await gatedCall(floor.db.service, await begin());
      const attempt = decidePermission(floor.supervisor.client, {
        permissionId,
        ...(bad as { decision: 'allowed' }),
      });
      await expect(attempt).rejects.toMatchObject({ code: 'invalid_decision' });
    },
  );

  it('tells a late decision what won, and by whom', async () => {
    const { permissionId } = await gatedCall(floor.db.service, await begin());
    await decidePermission(floor.admin.client, { permissionId, decision: 'denied', note: 'no' });
    await expect(allow(permissionId)).rejects.toMatchObject({
      code: 'permission_already_decided',
      details: { status: 'denied', decided_by: floor.admin.id, decided_by_name: floor.admin.name },
    });
  });

  it('counts as timed out the moment it is due, though nobody has expired it', async () => {
    const mine = await begin();
    const { permissionId, callId } = await gatedCall(floor.db.service, mine);
    await makeDue(permissionId);
    await expect(allow(permissionId)).rejects.toMatchObject({
      code: 'permission_already_decided',
      details: { status: 'timeout' },
    });
    const start = startToolCall(floor.db.service, { ...mine.key, callId, argumentsHash: HASH });
    expect(await start).toMatchObject({ started: false, reason: 'not_allowed' });
    const [polled] = await pollSessions(floor.db.service, [mine.key]);
    expect(polled).toMatchObject({ paused: false, permissions: [{ status: 'timeout' }] });
    const [row] = await floor.db
      .sql`select status, supervisor_response from tool_permissions where id = ${permissionId}`;
    expect(row).toEqual({ status: 'timeout', supervisor_response: 'timeout' });
    await finishToolCall(floor.db.service, {
      ...mine.key,
      callId,
      state: 'refused',
      refusalReason: 'timeout',
      output: 'Nobody answered.',
    });
    expect((await pollSessions(floor.db.service, [mine.key]))[0]?.permissions).toEqual([]);
  });

  it('can be withdrawn alone or with all others', async () => {
    const mine = await begin();
    const [one, two, three] = [
      await gatedCall(floor.db.service, mine),
      await gatedCall(floor.db.service, mine),
      await gatedCall(floor.db.service, mine),
    ];
    expect(
      await withdrawPermissions(floor.db.service, {
        ...mine.key,
        callId: one.callId,
        reason: 'changed my mind',
      }),
    ).toBe(1);
    await expect(allow(one.permissionId)).rejects.toMatchObject({ details: { status: 'withdrawn' } });
    await allow(two.permissionId);
    expect(await withdrawPermissions(floor.db.service, mine.key)).toBe(1);
    await expect(allow(three.permissionId)).rejects.toMatchObject({ details: { status: 'withdrawn' } });
  });

  it('can not be turned into anything else once decided, not even with the secret key', async () => {
    const { permissionId } = await gatedCall(floor.db.service, await begin());
    await decidePermission(floor.supervisor.client, { permissionId, decision: 'denied' });
    const change = await floor.db.service
      .from('tool_permissions')
      .update({ status: 'allowed', supervisor_response: 'allowed' })
      .eq('id', permissionId);
    expect(change.error?.message).toBe('permission_already_decided');
  });

  it('is escalated once after its time', async () => {
    const { permissionId } = await gatedCall(floor.db.service, await begin());
    expect(JSON.stringify(await escalateRequests(floor.db.service, { afterSeconds: 120 }))).not.toContain(
      permissionId,
    );
    await floor.db
      .sql`update tool_permissions set requested_at = now() - interval '3 minutes' where id = ${permissionId}`;
    expect(JSON.stringify(await escalateRequests(floor.db.service, { afterSeconds: 120 }))).toContain(
      permissionId,
    );
    expect(JSON.stringify(await escalateRequests(floor.db.service, { afterSeconds: 120 }))).not.toContain(
      permissionId,
    );
  });

  it('leaves an audit event of the decision', async () => {
    const { permissionId } = await gatedCall(floor.db.service, await begin());
    await allow(permissionId);
    const [row] = await floor.db.sql`
      select actor_id, actor_kind, action, details ->> 'decision' as decision from audit_events where subject_id = ${permissionId}`;
    expect(row).toEqual({
      actor_id: floor.supervisor.id,
      actor_kind: 'user',
      action: 'permission.decided',
      decision: 'allowed',
    });
  });
});

describe('an ungated or refused call', () => {
  it('runs at once, beside a paused one', async () => {
    const mine = await begin();
    await gatedCall(floor.db.service, mine);
    const { call, permission } = await requestToolCall(
      floor.db.service,
      newCall(mine, { requires_permission: false, tool_name: 'find_order' }),
    );
    expect({ state: call.state, permission }).toEqual({ state: 'requested', permission: null });
    const start = startToolCall(floor.db.service, { ...mine.key, callId: call.call_id, argumentsHash: HASH });
    expect(await start).toMatchObject({ started: true, call: { state: 'running' } });
  });

  it('is on record when policy refuses it, and never starts', async () => {
    const mine = await begin();
    const { call } = await requestToolCall(floor.db.service, newCall(mine, { refused_reason: 'policy' }));
    expect(call).toMatchObject({
      state: 'refused',
      refusal_reason: 'policy',
      finished_at: expect.any(String),
    });
    const start = startToolCall(floor.db.service, { ...mine.key, callId: call.call_id, argumentsHash: HASH });
    expect(await start).toMatchObject({ started: false, reason: 'already_finished' });
    expect(await pausedAndStatus(mine.id)).toMatchObject({ paused: false });
  });

  it('of a dead session is started again only on demand, with the same idempotency key', async () => {
    const mine = await begin();
    const { call } = await requestToolCall(floor.db.service, newCall(mine, { requires_permission: false }));
    const { call_id: callId, idempotency_key } = call;
    await startToolCall(floor.db.service, { ...mine.key, callId, argumentsHash: HASH });
    await releaseLease(floor.db.service, mine.key);
    const next = await claimInteraction(floor.db.service, {
      interactionId: mine.id,
      workerId: 'b',
      leaseSeconds: 30,
    });
    expect(next).toMatchObject({
      claimed: true,
      open_calls: [{ call_id: callId, state: 'running', idempotency_key }],
    });
    const key = { interactionId: mine.id, generation: 2, callId, argumentsHash: HASH };
    expect(await startToolCall(floor.db.service, key)).toMatchObject({
      started: false,
      reason: 'already_started',
    });
    const again = await startToolCall(floor.db.service, { ...key, allowRestart: true });
    expect(again).toMatchObject({ started: true, call: { idempotency_key, generation: 2 } });
  });

  it('can not be finished with a result it never had', async () => {
    const mine = await begin();
    const { callId } = await gatedCall(floor.db.service, mine);
    const finish = finishToolCall(floor.db.service, {
      ...mine.key,
      callId,
      state: 'succeeded',
      output: 'done',
    });
    await expect(finish).rejects.toMatchObject({ code: 'tool_call_not_started' });
  });
});
