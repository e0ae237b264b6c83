import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from 'vitest';
import type { Agent } from '../support/fixtures.ts';
import { type ModelRequest, type ScriptedModel, setupModel, wantsJson } from '../support/model.ts';
import { setupRecorder, type ToolRecorder } from '../support/recorder.ts';
import { type Stack, setupStack, waitUntil } from '../support/stack.ts';

let model: ScriptedModel;
let recorder: ToolRecorder;
let stack: Stack;
let agent: Agent;

/** A model that asks for a refund when the customer does, and otherwise repeats what it was told. */
function shopModel(request: ModelRequest) {
  const result = request.lastMessage?.role === 'tool' ? request.toolResults.at(-1) : undefined;
  if (result) return `Result: ${result.output}`;
  if (/forget it/.test(request.lastUser) && request.toolNames.includes('withdraw_request')) {
    return { toolCalls: [{ name: 'withdraw_request', arguments: { reason: 'changed their mind' } }] };
  }
  if (/refund/.test(request.lastUser) && request.toolNames.includes('refund_order')) {
    const orders = request.lastUser.match(/\d+/g) ?? ['1042'];
    return {
      text: 'I will ask for that.',
      toolCalls: orders.map((order) => ({ name: 'refund_order', arguments: { order } })),
    };
  }
  return `Heard: ${request.lastUser}`;
}

beforeAll(async () => {
  model = await setupModel(shopModel);
  model.background(wantsJson, () => ({ text: '{}' }));
  recorder = await setupRecorder();
  stack = await setupStack({
    openaiBaseUrl: model.openaiBaseUrl,
    env: { LIMIT_ADDRESS_OPEN: '50', LIMIT_ADDRESS_PER_MINUTE: '100' },
    figures: { metricsMs: 300, permissionTimeoutMs: 20_000, reassuranceMs: 1_500 },
  });
  agent = await stack.createAgent({
    maxConcurrentInteractions: 10,
    tools: [
      {
        toolName: 'refund_order',
        requiresPermission: true,
        toolConfig: {
          endpoint: `${recorder.url}/refund`,
          method: 'POST',
          description: 'Refunds an order.',
          input_schema: {
            type: 'object',
            properties: { order: { type: 'string' } },
            required: ['order'],
            additionalProperties: false,
          },
        },
      },
    ],
  });
}, 90_000);

afterAll(async () => {
  await stack?.stop();
  await recorder?.stop();
  await model?.stop();
}, 60_000);

const customers: { leave(): Promise<void> }[] = [];
afterEach(async () => {
  for (const customer of customers.splice(0)) await customer.leave();
});

async function join() {
  const joined = await stack.join(agent);
  customers.push(joined.customer);
  await joined.customer.waitForText(/AI assistant/);
  return joined;
}

async function pendingPermission(interactionId: string, nth = 1) {
  const { sql } = stack.database;
  const rows = await waitUntil(async () => {
    const found =
      await sql`select * from tool_permissions where interaction_id = ${interactionId} order by requested_at`;
    return found.length >= nth ? found : undefined;
  });
  const row = rows[nth - 1];
  if (!row) throw new Error('no permission');
  return row;
}

function decide(id: string, body: Record<string, unknown>) {
  return stack.request(`/v1/permissions/${id}/decision`, { body, as: stack.supervisor });
}

// A try that failed has left its calls behind.
beforeEach(() => recorder.forget());

function callsFor(order: string) {
  return recorder.calls.filter((call) => call.body.order === order);
}

test('a gated tool waits for the supervisor, tells the customer why, and runs once when allowed', async () => {
  const { customer, created } = await join();
  await customer.send('please refund order 501');
  const permission = await pendingPermission(created.interaction_id);
  expect(permission.arguments).toEqual({ order: '501' });
  await customer.waitForText(/approval/);
  const [interaction] = await stack.database
    .sql`select paused from interactions where id = ${created.interaction_id}`;
  expect(interaction?.paused).toBe(true);
  expect(callsFor('501')).toHaveLength(0);
  const answer = await decide(permission.id, { decision: 'allowed' });
  expect(answer.status).toBe(200);
  await customer.waitForText(/Result: .*ref-/);
  expect(callsFor('501')).toHaveLength(1);
  const late = await decide(permission.id, { decision: 'denied' });
  expect(late.status).toBe(409);
});

test('while the decision is awaited the customer is reassured and answered, and no other tool starts', async () => {
  const { customer, created } = await join();
  await customer.send('please refund order 502');
  const permission = await pendingPermission(created.interaction_id);
  await customer.waitForText(/approval/);
  await customer.send('what time do you close');
  await customer.waitForText('Heard: what time do you close');
  await customer.send('and refund 503 as well');
  await customer.waitForText('Heard: and refund 503 as well');
  await customer.waitForText(/still|Still|Nothing yet|forgotten/);
  await decide(permission.id, { decision: 'denied', note: 'older than 30 days' });
  const text = await customer.waitForText(/did not allow/);
  expect(text.text).toContain('older than 30 days');
  expect(callsFor('502')).toHaveLength(0);
  expect(callsFor('503')).toHaveLength(0);
});

test('nobody decides: the request times out by the database’s clock and the model is told', async () => {
  const { customer, created } = await join();
  await customer.send('please refund order 504');
  await pendingPermission(created.interaction_id);
  await customer.waitForText(/nobody decided/, { deadlineMs: 45_000 });
  const row = await pendingPermission(created.interaction_id);
  expect(row.status).toBe('timeout');
  expect(callsFor('504')).toHaveLength(0);
});

test('a customer who changes their mind withdraws the request', async () => {
  const { customer, created } = await join();
  await customer.send('please refund order 505');
  await pendingPermission(created.interaction_id);
  await customer.waitForText(/approval/);
  await customer.send('forget it');
  await customer.waitForText(/withdrawn/);
  const row = await waitUntil(async () => {
    const found = await pendingPermission(created.interaction_id);
    return found.status === 'withdrawn' ? found : undefined;
  });
  expect((await decide(row.id, { decision: 'allowed' })).status).toBe(409);
  expect(callsFor('505')).toHaveLength(0);
});

test('two requests of one step: each runs when it is decided, and the model goes on with both outputs', async () => {
  const { customer, created } = await join();
  await customer.send('please refund order 506 and 507');
  const second = await pendingPermission(created.interaction_id, 2);
  const first = await pendingPermission(created.interaction_id, 1);
  await decide(second.id, { decision: 'allowed' });
  await waitUntil(() => callsFor(second.arguments.order).length === 1);
  expect(callsFor(first.arguments.order)).toHaveLength(0);
  await decide(first.id, { decision: 'allowed' });
  await customer.waitForText(/Result: /);
  const last = model.turns.at(-1);
  expect(last?.toolResults).toHaveLength(2);
  expect(callsFor('506')).toHaveLength(1);
  expect(callsFor('507')).toHaveLength(1);
});

test('edited arguments are what runs, and the model is told so', async () => {
  const { customer, created } = await join();
  await customer.send('please refund order 508');
  const permission = await pendingPermission(created.interaction_id);
  const answer = await decide(permission.id, { decision: 'allowed', arguments: { order: '509' } });
  expect(answer.status).toBe(200);
  await customer.waitForText(/other arguments/);
  expect(callsFor('508')).toHaveLength(0);
  expect(callsFor('509')).toHaveLength(1);
});

test('only the supervisor, the cover or an admin can decide', async () => {
  const stranger = await stack.database.createUser({ businessId: stack.business.id });
  const admin = await stack.database.createUser({ businessId: stack.business.id, role: 'admin' });
  const { customer, created } = await join();
  await customer.send('please refund order 510');
  const permission = await pendingPermission(created.interaction_id);
  const path = `/v1/permissions/${permission.id}/decision`;
  const refused = await stack.request(path, { body: { decision: 'allowed' }, as: stranger });
  expect(refused.status).toBeGreaterThanOrEqual(400);
  expect(callsFor('510')).toHaveLength(0);
  const allowed = await stack.request(path, { body: { decision: 'allowed' }, as: admin });
  expect(allowed.status).toBe(200);
  await customer.waitForText(/Result: /);
});
afterEach((context) => {
  if (context.task.result?.state === 'fail') console.error(stack.log.slice(-60).join('\n'));
});
