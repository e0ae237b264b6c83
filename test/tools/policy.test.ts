import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { setPhoneNumber } from '../../src/database/interactions.ts';
import { decidePermission, revokeGrant } from '../../src/database/permissions.ts';
import { requestToolCall } from '../../src/database/tool-calls.ts';
import { hashToolCall } from '../../src/tools/canonical-hash.ts';
import { readToolConfig } from '../../src/tools/tool-config.ts';
import { type Floor, newCall, setupFloor, startInteraction } from '../database/floor.ts';
import { setupLedger } from './ledger-support.ts';

let floor: Floor;

beforeAll(async () => {
  floor = await setupFloor();
});
afterAll(() => floor.db.stop());

type Rule = { effect: 'allow' | 'ask' | 'forbid'; because?: string; when?: object };

/** The row of `refund` as the database has it; the ledger's own copy knows no rules. */
async function rules(...policy: Rule[]): Promise<void> {
  const { sql } = floor.db;
  const config = { endpoint: 'https://shop.example/refund', policy };
  expect(readToolConfig(config)).toMatchObject({ ok: true });
  await sql`
    insert into agent_tools (agent_id, tool_name, tool_config, requires_permission)
    values (${floor.agent.id}, 'refund', ${sql.json(config as never)}, true)
    on conflict (agent_id, tool_name) do update set tool_config = excluded.tool_config`;
}

beforeEach(async () => {
  const { sql } = floor.db;
  await sql`delete from agent_tools where agent_id = ${floor.agent.id} and tool_name = 'refund'`;
});

let orders = 1_000;
/** A refund of this order; its number is the amount that the rules look at. */
async function ask(setup: Awaited<ReturnType<typeof setupLedger>>, order: number) {
  orders += 1;
  const handle = setup.call('refund', { order }, `refund-${orders}`);
  const pending = setup.permissionOf(handle.callId).then(() => 'asked' as const);
  pending.catch(() => undefined);
  const decided = await Promise.race([pending, handle.outcome.then(({ status }) => status)]);
  return { effect: decided, handle };
}

describe('a rule by argument', () => {
  test('allows small amounts, asks for larger ones and forbids the rest', async () => {
    await rules(
      { effect: 'forbid', when: { arguments: { order: { above: 100 } } }, because: 'Never above 100.' },
      { effect: 'allow', when: { arguments: { order: { at_most: 20 } } } },
    );
    const setup = await setupLedger(floor);
    expect((await ask(setup, 20)).effect).toBe('succeeded');
    expect((await ask(setup, 21)).effect).toBe('asked');
    const forbidden = await ask(setup, 101);
    expect(forbidden.effect).toBe('refused');
    expect((await forbidden.handle.outcome).output).toContain('Never above 100.');
    expect(await setup.rowOf(forbidden.handle.callId)).toMatchObject({
      state: 'refused',
      refusal_reason: 'policy',
      policy: { effect: 'forbid', rule: 0 },
    });
    expect(setup.server.calls).toHaveLength(1);
  });

  test('that can not be told counts against the call', async () => {
    await rules(
      { effect: 'allow', when: { arguments: { amount: { at_most: 20 } } } },
      { effect: 'forbid', when: { arguments: { amount: { above: 20 } } } },
    );
    // The call has no amount: it is not small, and might be large.
    expect((await ask(await setupLedger(floor), 5)).effect).toBe('refused');
  });

  test("holds for an approver's edit too", async () => {
    await rules({ effect: 'forbid', when: { arguments: { order: { above: 100 } } } });
    const setup = await setupLedger(floor);
    const { handle } = await ask(setup, 50);
    const permissionId = await setup.permissionOf(handle.callId);
    const edited = { order: 500, phone: '+4912345678' };
    const stored = await setup.rowOf(handle.callId);
    await decidePermission(floor.supervisor.client, {
      permissionId,
      decision: 'allowed',
      arguments: edited,
      argumentsHash: hashToolCall({
        businessId: floor.business.id,
        interactionId: setup.interaction.id,
        callId: handle.callId,
        toolName: 'refund',
        definitionHash: String(stored.definition_hash),
        arguments: edited,
      }),
    });
    await setup.poll();
    expect(await handle.outcome).toMatchObject({ status: 'refused', reason: 'policy' });
    expect(setup.server.calls).toHaveLength(0);
  });
});

describe('a rule by sum', () => {
  const sum = (kind: 'interaction_total' | 'day_total', atMost: number, extra: object = {}): Rule => ({
    effect: 'allow',
    when: { [kind]: { argument: 'order', at_most: atMost, ...extra } },
  });

  test('allows until the interaction has had its share, also of calls at once', async () => {
    await rules(sum('interaction_total', 100), { effect: 'forbid' });
    const setup = await setupLedger(floor);
    const effects = await Promise.all([ask(setup, 60), ask(setup, 60)]);
    expect(effects.map(({ effect }) => effect).sort()).toEqual(['refused', 'succeeded']);
    expect((await ask(setup, 40)).effect).toBe('succeeded');
    expect((await ask(setup, 1)).effect).toBe('refused');
    expect((await ask(await setupLedger(floor), 90)).effect).toBe('succeeded');
  });

  test('over the day counts other conversations, those of unknown customers as one', async () => {
    await rules(sum('day_total', 100_000), { effect: 'forbid' });
    const [one, two] = await Promise.all([setupLedger(floor), setupLedger(floor)]);
    expect((await ask(one, 60_000)).effect).toBe('succeeded');
    expect((await ask(two, 60_000)).effect).toBe('refused');
  });

  test('over the day: a number that is only claimed is no customer of its own, one that is known is', async () => {
    await rules(sum('day_total', 10_000_000), { effect: 'forbid' });
    const callers = [
      ['claimed', '+4915550001'],
      ['claimed', '+4915550002'],
      ['sip', '+4915550003'],
      ['sip', '+4915550004'],
    ] as const;
    const effects: string[] = [];
    for (const [source, phoneNumber] of callers) {
      const setup = await setupLedger(floor);
      await setPhoneNumber(floor.db.service, { ...setup.interaction.key, phoneNumber, source });
      effects.push((await ask(setup, 6_000_000)).effect);
    }
    expect(effects).toEqual(['succeeded', 'refused', 'succeeded', 'succeeded']);
  });

  test('is not made smaller by a negative amount', async () => {
    await rules(sum('interaction_total', 100), { effect: 'forbid' });
    const interaction = await startInteraction(floor.db.service, floor.agent);
    const effects: string[] = [];
    for (const order of [-1_000, 1_100, 100, -1]) {
      const call = newCall(interaction, { tool_name: 'refund', arguments: { order } });
      effects.push((await requestToolCall(floor.db.service, call)).call.state);
    }
    expect(effects).toEqual(['requested', 'refused', 'requested', 'requested']);
  });
});

test('a rule by time and customer applies there and nowhere else', async () => {
  const setup = await setupLedger(floor);
  await rules({ effect: 'allow', when: { time: { from: '00:00', to: '00:00' } } });
  // From midnight to midnight is no time at all.
  expect((await ask(setup, 1)).effect).toBe('asked');
  const other = await setupLedger(floor);
  await rules({ effect: 'allow', when: { time: { from: '00:00', to: '23:59' }, customer: ['unknown'] } });
  expect((await ask(other, 1)).effect).toBe('succeeded');
  const third = await setupLedger(floor);
  await rules({ effect: 'allow', when: { customer: ['verified'] } });
  expect((await ask(third, 1)).effect).toBe('asked');
});

test('a rule that can not be read forbids', async () => {
  const { sql } = floor.db;
  await rules({ effect: 'allow' });
  const broken = { policy: [{ effect: 'allow', when: { time: { from: 'noon', to: 'night' } } }] };
  await sql`update agent_tools set tool_config = ${sql.json(broken)} where tool_name = 'refund'`;
  expect((await ask(await setupLedger(floor), 1)).effect).toBe('refused');
  expect(readToolConfig({ endpoint: 'https://shop.example', ...broken })).toMatchObject({ ok: false });
});

describe('allowed for this interaction', () => {
  async function allowed(scope: Record<string, unknown> | null) {
    await rules({ effect: 'ask' });
    const setup = await setupLedger(floor);
    const { handle } = await ask(setup, 30);
    const permissionId = await setup.permissionOf(handle.callId);
    await decidePermission(floor.supervisor.client, { permissionId, decision: 'allowed', scope });
    await setup.poll();
    expect((await handle.outcome).status).toBe('succeeded');
    return { setup, permissionId };
  }

  test('needs no second question within the range, and one outside it', async () => {
    const { setup, permissionId } = await allowed({
      kind: 'interaction',
      arguments: { order: { at_most: 50 }, note: { one_of: [null] } },
    });
    const again = await ask(setup, 50);
    expect(again.effect).toBe('succeeded');
    expect((await setup.rowOf(again.handle.callId)).grant_id).not.toBeNull();
    expect((await ask(setup, 51)).effect).toBe('asked');
    expect((await ask(setup, -5)).effect).not.toBe('succeeded');
    const { sql } = floor.db;
    const [grant] = await sql`select * from tool_grants where permission_id = ${permissionId}`;
    expect(grant).toMatchObject({
      granted_by: floor.supervisor.id,
      argument_range: { order: { at_most: 50 } },
    });
    const [audited] =
      await sql`select details from audit_events where subject_id = ${permissionId} and action = 'permission.decided'`;
    expect(audited?.details.scope.arguments).toMatchObject({ order: { at_most: 50 } });
  });

  test('is a choice: without it the next call asks again, and in another interaction as well', async () => {
    const { setup } = await allowed(null);
    expect((await ask(setup, 30)).effect).toBe('asked');
    await allowed({ kind: 'interaction', arguments: {} });
    expect((await ask(await setupLedger(floor), 30)).effect).toBe('asked');
  });

  test('does not outlive an edit of the tool', async () => {
    const { setup } = await allowed({ kind: 'interaction', arguments: { order: { any: true } } });
    expect((await ask(setup, 31)).effect).toBe('succeeded');
    const before = setup.catalogue.definition('refund')?.definitionHash;
    setup.server.describe('refund', 'Pays back twice');
    const endMs = performance.now() + 8_000;
    while (setup.catalogue.definition('refund')?.definitionHash === before && performance.now() < endMs)
      await new Promise((resolve) => setTimeout(resolve, 20));
    expect((await ask(setup, 31)).effect).toBe('asked');
  });

  test('can be taken back by who may decide, and the next call asks again', async () => {
    const { setup, permissionId } = await allowed({
      kind: 'interaction',
      arguments: { order: { at_most: 50 } },
    });
    expect((await ask(setup, 40)).effect).toBe('succeeded');
    await expect(revokeGrant(floor.colleague.client, permissionId)).rejects.toMatchObject({
      code: 'not_allowed_to_decide',
    });
    expect((await ask(setup, 41)).effect).toBe('succeeded');
    const revoked = await revokeGrant(floor.supervisor.client, permissionId);
    expect(revoked).toMatchObject({ id: permissionId, scope_revoked_by: floor.supervisor.id });
    expect((await ask(setup, 42)).effect).toBe('asked');
    const { sql } = floor.db;
    const audited = await sql`
      select actor_id, details from audit_events where subject_id = ${permissionId} and action = 'permission.revoked'`;
    expect(audited).toHaveLength(1);
    expect(audited[0]?.details).toMatchObject({ tool_name: 'refund', interaction_id: setup.interaction.id });
    // Once more changes nothing: not the moment, not who it was, not the log.
    expect(await revokeGrant(floor.admin.client, permissionId)).toMatchObject({
      scope_revoked_by: floor.supervisor.id,
      scope_revoked_at: revoked.scope_revoked_at,
    });
    expect(
      await sql`select from audit_events where subject_id = ${permissionId} and action = 'permission.revoked'`,
    ).toHaveLength(1);
  });

  test('and taken back does not let a call start that it had let through', async () => {
    const { setup, permissionId } = await allowed({
      kind: 'interaction',
      arguments: { order: { at_most: 50 } },
    });
    const { interactionId: interaction_id, generation } = setup.interaction.key;
    const call = { interaction_id, generation, call_id: 'late', tool_name: 'refund' };
    const [first] = await floor.db
      .sql`select definition_hash from tool_calls where interaction_id = ${interaction_id} limit 1`;
    const requested = await floor.db.service.rpc('request_tool_call', {
      p_call: {
        ...call,
        arguments: { order: 45, phone: '+4912345678' },
        arguments_hash: 'h',
        definition_hash: first?.definition_hash,
        requires_permission: true,
        permission_timeout_seconds: 60,
        idempotency_key: 'late',
      },
    });
    expect(requested.data).toMatchObject({ permission: null, call: { state: 'requested' } });
    await revokeGrant(floor.supervisor.client, permissionId);
    const started = await floor.db.service.rpc('start_tool_call', {
      p_interaction_id: interaction_id,
      p_generation: generation,
      p_call_id: 'late',
      p_arguments_hash: 'h',
    });
    expect(started.data).toMatchObject({ started: false, reason: 'policy' });
  });

  test('is what can be taken back, and nothing else is', async () => {
    const { permissionId } = await allowed(null);
    await expect(revokeGrant(floor.supervisor.client, permissionId)).rejects.toMatchObject({
      code: 'grant_not_found',
    });
  });

  test('can not be had with a denial, for less than what is approved, or in words nobody defined', async () => {
    await rules({ effect: 'ask' });
    const setup = await setupLedger(floor);
    const { handle } = await ask(setup, 30);
    const permissionId = await setup.permissionOf(handle.callId);
    const decide = (decision: 'allowed' | 'denied', scope: Record<string, unknown>) =>
      decidePermission(floor.supervisor.client, { permissionId, decision, scope });
    await expect(decide('denied', { kind: 'interaction' })).rejects.toMatchObject({
      code: 'invalid_decision',
    });
    for (const scope of [
      { kind: 'day' },
      { kind: 'interaction', arguments: { order: { at_most: 29 } } },
      { kind: 'interaction', arguments: { order: { above: 1 } } },
      { kind: 'interaction', arguments: { order: { any: true, at_most: 100 } } },
    ])
      await expect(decide('allowed', scope)).rejects.toMatchObject({ code: 'invalid_decision' });
    expect(setup.server.calls).toHaveLength(0);
  });
});
