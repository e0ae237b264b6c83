import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { decidePermission } from '../../src/database/permissions.ts';
import { type Floor, setupFloor } from '../database/floor.ts';
import { setupLedger, summary } from './ledger-support.ts';
import { until } from './support.ts';

let floor: Floor;

beforeAll(async () => {
  floor = await setupFloor();
});
afterAll(() => floor.db.stop());

describe('while the database is away', () => {
  test('nothing runs unrecorded; the call goes on when it is back', async () => {
    const { call, line, server, heard, rowOf } = await setupLedger(floor);
    line.state = 'down';
    const handle = call('ping');
    await until(() => heard.filter(({ name }) => name === 'delayed').length >= 2, 'two tries');
    expect(server.calls).toEqual([]);
    line.state = 'up';
    expect((await handle.outcome).status).toBe('succeeded');
    expect(await rowOf(handle.callId)).toMatchObject({ state: 'succeeded' });
    expect(server.calls).toHaveLength(1);
  });

  test('an outcome reaches the model, and its row follows', async () => {
    const { call, line, server, rowOf } = await setupLedger(floor, { mode: 'plain' });
    const handle = call('ping');
    await until(() => server.calls.length === 1 || handle.state === 'running', 'the call runs');
    line.state = 'down';
    expect((await handle.outcome).output).toBe('pong');
    line.state = 'up';
    await until(async () => (await rowOf(handle.callId)).state === 'succeeded', 'the row', 12_000);
  });

  test.each([1, 2, 3])('an answer lost on the way (write %i) does not run anything twice', async (nth) => {
    const { call, line, server, rowOf } = await setupLedger(floor);
    let seen = 0;
    const through = line.fetch;
    Object.assign(line, {
      fetch: through,
    });
    const original = globalThis.fetch;
    // The line counts the writes of this call: the request, the start, the finish.
    const counting: typeof fetch = async (input, init) => {
      seen += 1;
      if (seen === nth) line.state = 'answers_lost';
      return original(input, init);
    };
    globalThis.fetch = counting;
    try {
      const handle = call('whoami');
      const outcome = await handle.outcome;
      expect(outcome.status).toBe('succeeded');
      await until(async () => (await rowOf(handle.callId)).state === 'succeeded', 'the row');
    } finally {
      globalThis.fetch = original;
    }
    expect(server.calls).toHaveLength(1);
    expect(line.lost).toBe(1);
  });
});

describe('a new life of the interaction', () => {
  test('waits on for a decision that was asked for before', async () => {
    const setup = await setupLedger(floor);
    const before = setup.call('refund', { order: 7 });
    const permissionId = await setup.permissionOf(before.callId);
    const ledger = await setup.anotherLife();
    const after = ledger.request({ callId: before.callId, toolName: 'refund', rawArguments: '{"order":7}' });
    await until(() => ledger.pending().length === 1, 'the wait goes on');
    await decidePermission(floor.cover.client, { permissionId, decision: 'allowed' });
    ledger.permissionsChanged([
      { id: permissionId, call_id: before.callId, status: 'allowed', expires_at: '' },
    ]);
    expect((await after.outcome).status).toBe('succeeded');
    expect(setup.server.calls).toHaveLength(1);
  });

  test('finds the decision that fell while nobody was there', async () => {
    const setup = await setupLedger(floor);
    const before = setup.call('refund', { order: 7 });
    await decidePermission(floor.supervisor.client, {
      permissionId: await setup.permissionOf(before.callId),
      decision: 'allowed',
    });
    const ledger = await setup.anotherLife();
    const after = ledger.request({ callId: before.callId, toolName: 'refund', rawArguments: '{"order":7}' });
    expect((await after.outcome).status).toBe('succeeded');
  });

  test('runs what was asked and shown then, not what the model says now', async () => {
    const setup = await setupLedger(floor);
    const before = setup.call('refund', { order: 7 });
    await decidePermission(floor.supervisor.client, {
      permissionId: await setup.permissionOf(before.callId),
      decision: 'allowed',
    });
    const ledger = await setup.anotherLife();
    await ledger.request({ callId: before.callId, toolName: 'refund', rawArguments: '{"order":8}' }).outcome;
    expect(setup.server.calls).toMatchObject([{ args: { order: 7 } }]);
  });

  test('has the outcome of a finished call without running it again', async () => {
    const setup = await setupLedger(floor);
    const before = setup.call('whoami');
    const { output } = await before.outcome;
    const ledger = await setup.anotherLife();
    const again = await ledger.request({ callId: before.callId, toolName: 'whoami', rawArguments: '{}' })
      .outcome;
    expect(again).toMatchObject({ status: 'succeeded', output });
    expect(setup.server.calls).toHaveLength(1);
  });

  test('calls a change that was under way unknown, and repeats a look-up', async () => {
    const setup = await setupLedger(floor, { mode: 'hang_on_call' });
    const change = setup.call('whoami');
    const lookUp = setup.call('ping');
    await until(() => setup.server.calls.length === 2, 'both are running');
    const ledger = await setup.anotherLife();
    setup.server.mode = 'plain';
    const [unsure, found] = await Promise.all([
      ledger.request({ callId: change.callId, toolName: 'whoami', rawArguments: '{}' }).outcome,
      ledger.request({ callId: lookUp.callId, toolName: 'ping', rawArguments: '{}' }).outcome,
    ]);
    expect(unsure.status).toBe('unknown');
    expect(found).toMatchObject({ status: 'succeeded', output: 'pong' });
    expect(await setup.rowOf(change.callId)).toMatchObject({ state: 'unknown' });
    expect(setup.server.calls.filter(({ name }) => name === 'whoami')).toHaveLength(1);
  });

  test('stops the old one: it runs nothing and says that it was replaced', async () => {
    const setup = await setupLedger(floor);
    await setup.anotherLife();
    const outcome = await setup.call('whoami').outcome;
    expect(outcome.isError).toBe(true);
    expect(setup.server.calls).toEqual([]);
    expect(setup.heard.map(({ name }) => name)).toContain('fenced');
  });

  test('an approval that reaches the replaced session runs nothing there', async () => {
    const setup = await setupLedger(floor);
    const handle = setup.call('refund', { order: 7 });
    const permissionId = await setup.permissionOf(handle.callId);
    await setup.anotherLife();
    await decidePermission(floor.supervisor.client, { permissionId, decision: 'allowed' });
    setup.ledger.permissionsChanged([
      { id: permissionId, call_id: handle.callId, status: 'allowed', expires_at: '' },
    ]);
    await handle.outcome;
    expect(setup.server.calls).toEqual([]);
    expect(setup.heard.map(({ name }) => name)).toContain('fenced');
  });
});

describe('the end of the interaction', () => {
  test('withdraws what waits and lets what runs come to its end', async () => {
    const setup = await setupLedger(floor);
    const waiting = setup.call('refund', { order: 7 });
    await setup.permissionOf(waiting.callId);
    const running = setup.call('ping');
    await setup.ledger.close('the customer left');
    expect(summary(await waiting.outcome)).toEqual(['refused', 'withdrawn']);
    expect(['succeeded', 'refused']).toContain((await running.outcome).status);
    const [{ status } = {}] = await floor.db
      .sql`select status from tool_permissions where call_id = ${waiting.callId} and interaction_id = ${setup.interaction.id}`;
    expect(status).toBe('withdrawn');
    const [{ open } = {}] = await floor.db
      .sql`select count(*)::int as open from tool_calls where interaction_id = ${setup.interaction.id} and finished_at is null`;
    expect(open).toBe(0);
  });

  test('stops a call that does not come to its end, as unknown', async () => {
    const setup = await setupLedger(floor, { mode: 'hang_on_call' });
    const handle = setup.call('whoami');
    await until(() => setup.server.calls.length === 1, 'the call is running');
    await setup.ledger.close('the customer left');
    expect((await handle.outcome).status).toBe('unknown');
    expect(await setup.rowOf(handle.callId)).toMatchObject({ state: 'unknown' });
    await until(() => setup.server.cancelled === 1, 'the server was told');
  });

  test('takes no new calls', async () => {
    const setup = await setupLedger(floor);
    await setup.ledger.close('over');
    expect(summary(await setup.call('whoami').outcome)).toEqual(['refused', 'withdrawn']);
    expect(setup.server.calls).toEqual([]);
    await setup.ledger.close('twice does no harm');
  });

  test('comes through even without a database', async () => {
    const setup = await setupLedger(floor);
    setup.line.state = 'down';
    const handle = setup.call('whoami');
    await until(() => setup.heard.some(({ name }) => name === 'delayed'), 'the call waits');
    await setup.ledger.close('over');
    expect((await handle.outcome).isError).toBe(true);
    expect(setup.server.calls).toEqual([]);
  }, 30_000);
});

describe('when another worker goes on with the interaction', () => {
  test('what has not begun is left for it and started there, once', async () => {
    const { call, ledger, server, anotherLife, permissionOf, poll, rowOf } = await setupLedger(floor);
    const gated = call('refund', { order: 5 });
    const permissionId = await permissionOf(gated.callId);
    await ledger.suspend();
    await decidePermission(floor.supervisor.client, { permissionId, decision: 'allowed' });
    await poll();
    const successor = await anotherLife();
    const again = successor.request({
      callId: gated.callId,
      toolName: 'refund',
      rawArguments: '{"order":5}',
    });
    expect(await again.outcome).toMatchObject({ status: 'succeeded' });
    expect(await rowOf(gated.callId)).toMatchObject({ state: 'succeeded' });
    expect(server.calls).toHaveLength(1);
  });

  test('what runs comes to its end and is stored before the ledger says that it is done', async () => {
    const { call, ledger, heard, rowOf } = await setupLedger(floor);
    const handle = call('whoami');
    await until(() => heard.some(({ name }) => name === 'started'), 'the start');
    await ledger.suspend();
    expect(await rowOf(handle.callId)).toMatchObject({ state: 'succeeded' });
  });

  test('a process that was stopped between the start of a call and its sending does not send it', async () => {
    let holds = true;
    const setup = await setupLedger(floor, { holdsLease: () => holds });
    setup.line.committed = async (path) => {
      if (!path.endsWith('/start_tool_call') || !holds) return;
      // It stops here, and wakes up when its successor is at work.
      holds = false;
      await setup.anotherLife();
    };
    const { callId, outcome } = setup.call('whoami');
    expect((await outcome).status).toBe('unknown');
    expect(await setup.rowOf(callId)).toMatchObject({ state: 'running' });
    expect(setup.server.calls).toEqual([]);
  });
});
