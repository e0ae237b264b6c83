import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { hashToolCall } from '../../src/tools/canonical-hash.ts';
import type { Agent, Person } from '../support/fixtures.ts';
import { type OpenInteraction, openInteraction, requestGatedCall } from './gated-call.ts';
import { type Floor, forEachTry, setupFloor } from './support.ts';

const REFUND_SCHEMA = {
  type: 'object',
  properties: { order: { type: 'string' }, amount: { type: 'number', minimum: 1, maximum: 100 } },
  required: ['order', 'amount'],
  additionalProperties: false,
};

let floor: Floor;
let supervisor: Person;
let cover: Person;
let admin: Person;
let colleague: Person;
let stranger: Person;
let agent: Agent;
let interaction: OpenInteraction;

beforeAll(async () => {
  floor = await setupFloor();
});
forEachTry(async () => {
  const { database } = floor;
  const business = await database.createBusiness();
  const other = await database.createBusiness();
  [supervisor, cover, admin, colleague, stranger] = await Promise.all([
    database.createUser({ businessId: business.id, name: 'Sam' }),
    database.createUser({ businessId: business.id, name: 'Cleo' }),
    database.createUser({ businessId: business.id, role: 'admin', name: 'Ada' }),
    database.createUser({ businessId: business.id, name: 'Noor' }),
    database.createUser({ businessId: other.id, role: 'admin' }),
  ]);
  agent = await database.createAgent({
    businessId: business.id,
    supervisorId: supervisor.id,
    coverId: cover.id,
    tools: [
      {
        toolName: 'refund_order',
        toolConfig: { endpoint: 'https://shop.example/refund', method: 'POST', input_schema: REFUND_SCHEMA },
        requiresPermission: true,
      },
      {
        toolName: 'cancel_order',
        toolConfig: { transport: 'stdio', server: 'orders' },
        requiresPermission: true,
      },
    ],
  });
  interaction = await openInteraction(floor, agent);
});
afterAll(() => floor?.stop());

const ask = (options: Parameters<typeof requestGatedCall>[3] = {}) =>
  requestGatedCall(floor, agent, interaction, options);
const decide = (permissionId: string, body: unknown, person: Person = supervisor) =>
  floor.api.call(`/v1/permissions/${permissionId}/decision`, { body, token: person.accessToken });

describe('calls that wait for a decision', () => {
  it('are listed with their raw arguments, nearest deadline first, page by page', async () => {
    const late = await ask({ timeoutSeconds: 300, arguments: { order: '<b>1</b>', amount: 3 } });
    const soon = await ask({ timeoutSeconds: 60 });
    const path = `/v1/permissions?status=pending&interaction_id=${interaction.id}&limit=1`;
    const first = await floor.api.call(path, { token: supervisor.accessToken });
    expect(first.body.data.map(({ id }) => id)).toEqual([soon.permissionId]);
    const second = await floor.api.call(`${path}&cursor=${first.body.next_cursor}`, {
      token: supervisor.accessToken,
    });
    expect(second.body.data[0]).toMatchObject({
      id: late.permissionId,
      tool_name: 'refund_order',
      arguments: { order: '<b>1</b>', amount: 3 },
      status: 'pending',
    });
    expect(second.body.next_cursor).toBeNull();
    await decide(soon.permissionId, { decision: 'denied' });
    await decide(late.permissionId, { decision: 'denied' });
  });

  it('are shown to the supervisor, the cover and admins of the business and to nobody else', async () => {
    const { permissionId } = await ask();
    const sees = async (person: Person) => {
      const { body } = await floor.api.call('/v1/permissions', { token: person.accessToken });
      return body.data.some(({ id }) => id === permissionId);
    };
    expect(await Promise.all([supervisor, cover, admin, colleague, stranger].map(sees))).toEqual([
      true,
      true,
      true,
      false,
      false,
    ]);
    await decide(permissionId, { decision: 'denied' });
  });
});

describe('what was allowed for the rest of an interaction', () => {
  const revoke = (id: string, person: Person) =>
    floor.api.call(`/v1/permissions/${id}/revocation`, { method: 'POST', token: person.accessToken });

  it('is taken back by who may decide, and told to those who watch', async () => {
    const { permissionId } = await ask();
    expect((await revoke(permissionId, supervisor)).body.code).toBe('grant_not_found');
    await decide(permissionId, { decision: 'allowed', scope: { kind: 'interaction', arguments: {} } });
    expect((await revoke(permissionId, colleague)).body.code).toBe('not_allowed_to_decide');
    expect((await revoke(permissionId, stranger)).body.code).toBe('permission_not_found');
    const told = () => floor.database.sql`select from floorwalker.changes where subject = ${permissionId}`;
    const before = (await told()).length;
    const { status, body } = await revoke(permissionId, cover);
    expect([status, body.scope_revoked_by]).toEqual([200, cover.id]);
    expect(await told()).toHaveLength(before + 1);
    const { body: page } = await floor.api.call(
      `/v1/permissions?status=allowed&interaction_id=${interaction.id}`,
      { token: supervisor.accessToken },
    );
    expect(page.data.find(({ id }) => id === permissionId)?.scope_revoked_at).toBe(body.scope_revoked_at);
  });
});

describe('a decision', () => {
  it('allows the call as it was asked for', async () => {
    const call = await ask();
    const { status, body } = await decide(call.permissionId, { decision: 'allowed', note: 'Go ahead' });
    expect(status).toBe(200);
    expect(body).toMatchObject({
      status: 'allowed',
      decided_by: supervisor.id,
      note: 'Go ahead',
      edited_arguments: null,
    });
    const started = await floor.database.service.rpc('start_tool_call', {
      p_interaction_id: interaction.id,
      p_generation: interaction.generation,
      p_call_id: call.callId,
      p_arguments_hash: call.argumentsHash,
    });
    expect(started.data).toMatchObject({ started: true });
  });

  it('with edited arguments binds the call to those', async () => {
    const call = await ask();
    const edited = { amount: 10, order: '1042' };
    const { status, body } = await decide(call.permissionId, { decision: 'allowed', arguments: edited });
    expect(status).toBe(200);
    expect(body.edited_arguments).toEqual(edited);
    const hash = hashToolCall({
      businessId: agent.businessId,
      interactionId: interaction.id,
      callId: call.callId,
      toolName: 'refund_order',
      definitionHash: 'definition',
      arguments: edited,
    });
    const start = (argumentsHash: string) =>
      floor.database.service.rpc('start_tool_call', {
        p_interaction_id: interaction.id,
        p_generation: interaction.generation,
        p_call_id: call.callId,
        p_arguments_hash: argumentsHash,
      });
    expect((await start(call.argumentsHash)).data).toMatchObject({ started: false, reason: 'hash_mismatch' });
    expect((await start(hash)).data).toMatchObject({ started: true });
  });

  it('is refused when the edited arguments do not fit the stored schema, and can be made again', async () => {
    const call = await ask();
    for (const edited of [{ order: '1042', amount: 5_000 }, { order: 1042, amount: 5 }, { amount: 5 }]) {
      const { status, body } = await decide(call.permissionId, { decision: 'allowed', arguments: edited });
      expect([status, body.code]).toEqual([422, 'arguments_invalid']);
    }
    const { status } = await decide(call.permissionId, { decision: 'denied' });
    expect(status).toBe(200);
  });

  it('takes edited arguments as they are for a tool whose schema only its server has', async () => {
    const call = await ask({ toolName: 'cancel_order' });
    const { status, body } = await decide(call.permissionId, {
      decision: 'allowed',
      arguments: { order: '7', note: 'a\u0000b' },
    });
    expect(status).toBe(200);
    // PostgreSQL can't keep U+0000; what is hashed is what is kept.
    expect(body.edited_arguments).toEqual({ order: '7', note: 'ab' });
  });

  it('finds the definition of a call whose id is all digits', async () => {
    const call = await ask({ callId: '123456789' });
    await decide(call.permissionId, { decision: 'allowed', arguments: { order: '1042', amount: 1 } });
    const [row] = await floor.database
      .sql`select edited_hash from tool_permissions where id = ${call.permissionId}`;
    const hash = hashToolCall({
      businessId: agent.businessId,
      interactionId: interaction.id,
      callId: '123456789',
      toolName: 'refund_order',
      definitionHash: 'definition',
      arguments: { order: '1042', amount: 1 },
    });
    expect(row?.edited_hash).toBe(hash);
  });

  it('can not edit what it denies', async () => {
    const call = await ask();
    const { status, body } = await decide(call.permissionId, { decision: 'denied', arguments: {} });
    expect([status, body.code]).toEqual([400, 'invalid_request']);
    await decide(call.permissionId, { decision: 'denied' });
  });

  it('comes too late when another was faster, and says what won', async () => {
    const call = await ask();
    await decide(call.permissionId, { decision: 'denied' }, cover);
    const { status, body } = await decide(call.permissionId, { decision: 'allowed' });
    expect(status).toBe(409);
    expect(body).toMatchObject({
      code: 'permission_already_decided',
      permission_status: 'denied',
      decided_by_name: 'Cleo',
    });
  });

  it('is made once when two people decide at the same moment', async () => {
    const call = await ask();
    const answers = await Promise.all([
      decide(call.permissionId, { decision: 'allowed' }, supervisor),
      decide(call.permissionId, { decision: 'denied' }, cover),
      decide(call.permissionId, { decision: 'allowed' }, admin),
    ]);
    expect(answers.map(({ status }) => status).sort()).toEqual([200, 409, 409]);
    const won = answers.find(({ status }) => status === 200)?.body.status;
    const told = answers.filter(({ status }) => status === 409).map(({ body }) => body.permission_status);
    expect(told).toEqual([won, won]);
  });

  it('comes too late after the deadline', async () => {
    const call = await ask({ timeoutSeconds: 0 });
    const { status, body } = await decide(call.permissionId, { decision: 'allowed' });
    expect([status, body.code, body.permission_status]).toEqual([
      409,
      'permission_already_decided',
      'timeout',
    ]);
  });

  it('is not a colleague’s to make, and a stranger is not told that there is one', async () => {
    const call = await ask();
    const byColleague = await decide(call.permissionId, { decision: 'allowed' }, colleague);
    expect([byColleague.status, byColleague.body.code]).toEqual([403, 'not_allowed_to_decide']);
    const edited = await decide(call.permissionId, { decision: 'allowed', arguments: {} }, colleague);
    expect([edited.status, edited.body.code]).toEqual([404, 'permission_not_found']);
    const byStranger = await decide(call.permissionId, { decision: 'allowed' }, stranger);
    expect([byStranger.status, byStranger.body.code]).toEqual([404, 'permission_not_found']);
    const ofNothing = await decide(crypto.randomUUID(), { decision: 'allowed' });
    expect([ofNothing.status, ofNothing.body.code]).toEqual([404, 'permission_not_found']);
    const [row] = await floor.database
      .sql`select status from tool_permissions where id = ${call.permissionId}`;
    expect(row?.status).toBe('pending');
    await decide(call.permissionId, { decision: 'denied' });
  });

  it.each([
    ['no decision', {}],
    ['another one', { decision: 'timeout' }],
    ['a field too many', { decision: 'allowed', status: 'allowed' }],
    ['arguments that are no object', { decision: 'allowed', arguments: [1] }],
  ])('is refused when it is not as described: %s', async (_name, body) => {
    const answer = await decide(crypto.randomUUID(), body);
    expect([answer.status, answer.body.code]).toEqual([400, 'invalid_request']);
  });

  it('can not be made by a customer', async () => {
    const call = await ask();
    const { status } = await floor.api.call(`/v1/permissions/${call.permissionId}/decision`, {
      body: { decision: 'allowed' },
      key: true,
    });
    expect(status).toBe(401);
    await decide(call.permissionId, { decision: 'denied' });
  });
});
