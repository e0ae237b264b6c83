import { AccessToken, AgentDispatchClient, RoomServiceClient } from 'livekit-server-sdk';
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest';
import { type Customer, joinAsCustomer } from '../../src/embedded/rehearsal/caller/caller.ts';
import type { Agent } from '../support/fixtures.ts';
import { type ModelRequest, type ScriptedModel, setupModel, wantsJson } from '../support/model.ts';
import { setupRecorder, type ToolRecorder } from '../support/recorder.ts';
import { type Stack, setupStack, waitUntil } from '../support/stack.ts';

let model: ScriptedModel;
let recorder: ToolRecorder;
let stack: Stack;
let plain: Agent;
let tooled: Agent;
let attempts = 0;

/** Misbehaves on command of the customer's words. */
function unreliableModel(request: ModelRequest) {
  const result = request.lastMessage?.role === 'tool' ? request.toolResults.at(-1) : undefined;
  if (result) return `Result: ${result.output}`;
  switch (request.lastUser) {
    case 'malformed arguments':
      return { toolCalls: [{ name: 'look_up', arguments: '{"order": ' }] };
    case 'wrong arguments':
      return { toolCalls: [{ name: 'look_up', arguments: { colour: 'blue' } }] };
    case 'unknown tool':
      return { toolCalls: [{ name: 'launch_rocket', arguments: {} }] };
    case 'look up':
      return { toolCalls: [{ name: 'look_up', arguments: { order: '1' } }] };
    case 'look up slowly':
      return { toolCalls: [{ name: 'slow_look_up', arguments: { order: '2' } }] };
    case 'say nothing':
      return { nothing: true as const };
    case 'too many requests':
      return { status: 429 };
    case 'broken':
      return { status: 500 };
    case 'broken once':
      attempts += 1;
      return attempts === 1 ? { status: 500 } : 'Back again.';
    case 'hang midway':
      return { text: 'I was just about to', hang: 'midway' as const };
    case 'hang':
      return { hang: true as const };
    default:
      return `Heard: ${request.lastUser.slice(0, 200)}`;
  }
}

beforeAll(async () => {
  model = await setupModel(unreliableModel);
  model.background(wantsJson, () => ({ text: '{}' }));
  recorder = await setupRecorder();
  stack = await setupStack({
    openaiBaseUrl: model.openaiBaseUrl,
    env: { LIMIT_ADDRESS_OPEN: '50', LIMIT_ADDRESS_PER_MINUTE: '100' },
    figures: { modelTimeoutMs: 1_500, rejoinChatMs: 1_500 },
  });
  plain = await stack.createAgent({ maxConcurrentInteractions: 20 });
  const rest = (path: string) => ({
    endpoint: `${recorder.url}${path}`,
    method: 'POST',
    description: 'Looks up an order.',
    input_schema: {
      type: 'object',
      properties: { order: { type: 'string' } },
      required: ['order'],
      additionalProperties: false,
    },
  });
  tooled = await stack.createAgent({
    maxConcurrentInteractions: 20,
    tools: [
      { toolName: 'look_up', toolConfig: rest('/look-up') },
      { toolName: 'slow_look_up', toolConfig: rest('/slow') },
      { toolName: 'broken_row', toolConfig: { transport: 'carrier pigeon' } },
      { toolName: 'end_interaction', toolConfig: rest('/imitation') },
      { toolName: 'unreachable', toolConfig: { transport: 'http', endpoint: 'http://127.0.0.1:9/mcp' } },
    ],
  });
}, 90_000);

afterAll(async () => {
  await stack?.stop();
  await recorder?.stop();
  await model?.stop();
}, 60_000);

const customers: Customer[] = [];
afterEach(async (context) => {
  if (context.task.result?.state === 'fail') console.error(stack.log.slice(-40).join('\n'));
  for (const customer of customers.splice(0)) await customer.leave();
});

async function join(agent: Agent) {
  const joined = await stack.join(agent);
  customers.push(joined.customer);
  await joined.customer.waitForText(/AI assistant/);
  return joined;
}

async function steps(interactionId: string, type: string) {
  return stack.database.sql`
    select name, output, error from interaction_steps
    where interaction_id = ${interactionId} and step_type = ${type} order by happened_at`;
}

test.for([
  ['malformed arguments', /not a JSON object/],
  ['wrong arguments', /do not fit the tool/],
  ['unknown tool', /no tool of this name/],
] as const)('a model with %s is told so, and nothing runs', async ([words, told]) => {
  const { customer, created } = await join(tooled);
  const before = recorder.calls.length;
  await customer.send(words);
  await customer.waitForText(told);
  const rows = await stack.database
    .sql`select state from tool_calls where interaction_id = ${created.interaction_id}`;
  expect(rows.map((row) => row.state)).toEqual(['refused']);
  expect(recorder.calls.length).toBe(before);
});

test.for(['say nothing', 'too many requests', 'broken', 'hang'])(
  'a model that answers with "%s": the customer gets an apology, and the next turn is answered',
  async (words) => {
    const { customer, created } = await join(plain);
    await customer.send(words);
    await customer.waitForText(/sorry|apolog/i);
    await customer.send('are you there');
    await customer.waitForText('Heard: are you there');
    const failures = await waitUntil(async () => {
      const found = await steps(created.interaction_id, 'model_failure');
      return found.some((step) => step.output.final) ? found : undefined;
    });
    expect(failures.length).toBeGreaterThan(1);
  },
);

test('a model that stops in the middle of its answer does not silence the agent for good', async () => {
  const { customer } = await join(plain);
  await customer.send('hang midway');
  await customer.waitForText(/I was just about to/);
  await customer.send('and now');
  await customer.waitForText('Heard: and now');
});

test('a job for a room of somebody else’s making: the agent serves whoever is there', async () => {
  const { url, apiKey, apiSecret } = stack.livekit;
  const room = `own-${crypto.randomUUID()}`;
  const token = new AccessToken(apiKey, apiSecret, { identity: 'visitor' });
  token.addGrant({ roomJoin: true, roomCreate: true, room, canPublishData: true, canSubscribe: true });
  const customer = await joinAsCustomer({ url, token: await token.toJwt(), channel: 'chat' });
  customers.push(customer);
  const dispatches = new AgentDispatchClient(url, apiKey, apiSecret);
  await dispatches.createDispatch(room, 'floorwalker', {
    metadata: JSON.stringify({ agent_id: plain.id, kind: 'rehearsal' }),
  });
  await customer.waitForText(/AI assistant/);
  await customer.send('hello from my own page');
  await customer.waitForText('Heard: hello from my own page');
  const [row] = await stack.database
    .sql`select kind, status from interactions where livekit_room_id = ${room}`;
  expect(row).toEqual({ kind: 'rehearsal', status: 'active' });
});

test('the same id with other words is the same message: what was stored is not rewritten', async () => {
  const { customer, created } = await join(plain);
  await customer.send('the first words', 'one-id');
  await customer.waitForText('Heard: the first words');
  customer.acknowledged.clear();
  await customer.send('I never said that', 'one-id');
  await customer.waitFor(() => customer.acknowledged.has('one-id'));
  const rows = await stack.database.sql`
    select content from interaction_messages
    where interaction_id = ${created.interaction_id} and role = 'customer'`;
  expect(rows.map((row) => row.content)).toEqual(['the first words']);
});

test('a model that fails once is asked again, and the customer notices nothing', async () => {
  const { customer } = await join(plain);
  attempts = 0;
  await customer.send('broken once');
  await customer.waitForText('Back again.');
  expect(customer.agentTexts.join(' ')).not.toMatch(/sorry/i);
});

test('broken, imitating and unreachable tool rows: a trace step each, and the rest works', async () => {
  const { customer, created } = await join(tooled);
  await customer.send('look up');
  await customer.waitForText(/Result: .*ref-/);
  const request = model.turns.find((turn) => turn.lastUser === 'look up');
  expect(request?.toolNames).toContain('look_up');
  const described = request?.body.tools?.find((tool) => tool.function.name === 'broken_row');
  expect(described?.function.description).toMatch(/unavailable/i);
  expect(request?.toolNames.filter((name) => name === 'end_interaction')).toHaveLength(1);
  const trouble = await waitUntil(async () => {
    const found = await steps(created.interaction_id, 'tool_trouble');
    return found.length >= 3 ? found : undefined;
  });
  const messages = trouble.map((step) => String(step.error.message)).join('\n');
  expect(messages).toMatch(/transport/);
  expect(messages).toMatch(/built-in/);
  expect(trouble.some((step) => step.error.code === 'tool_unavailable')).toBe(true);
});

test('100 kB, binary and fifty messages at once: nothing is lost and nobody is answered twice', async () => {
  const { customer, created } = await join(plain);
  const long = `${'long '.repeat(20_000)}end`;
  await customer.send(long);
  await customer.waitForText(/Heard: long long/);
  await customer.send('\u0000\u0001\u0002');
  await customer.waitForText(/only read text/);
  const ids = await Promise.all(Array.from({ length: 50 }, (_, index) => customer.send(`message ${index}`)));
  await customer.waitFor(() => ids.every((id) => customer.acknowledged.has(id)));
  const stored = await waitUntil(async () => {
    const rows = await stack.database.sql`
      select content from interaction_messages
      where interaction_id = ${created.interaction_id} and role = 'customer' order by seq`;
    return rows.length >= 51 ? rows : undefined;
  });
  expect(stored).toHaveLength(51);
  expect(new Set(stored.map((row) => row.content)).size).toBe(51);
  expect(stored.some((row) => row.content.length > 100_000)).toBe(true);
  // Fifty streams opened in one instant may overtake each other on the network; which came last is known to the
  // store. It is answered once, together with those that came while the agent was busy.
  const last = `Heard: ${stored.at(-1)?.content}`;
  await customer.waitForText(last);
  expect(customer.agentTexts.filter((text) => text === last)).toHaveLength(1);
  expect(new Set(customer.agentTexts).size).toBe(customer.agentTexts.length);
});

test('a message that is sent again with its id is acknowledged again and answered once', async () => {
  const { customer, created } = await join(plain);
  await customer.send('only once please', 'same-id');
  await customer.waitForText('Heard: only once please');
  customer.acknowledged.clear();
  await customer.send('only once please', 'same-id');
  await customer.waitFor(() => customer.acknowledged.has('same-id'));
  await customer.send('next');
  await customer.waitForText('Heard: next');
  const rows = await waitUntil(async () => {
    const found = await stack.database.sql`
      select content from interaction_messages
      where interaction_id = ${created.interaction_id} and role = 'customer' order by seq`;
    return found.length >= 2 ? found : undefined;
  });
  expect(rows.map((row) => row.content)).toEqual(['only once please', 'next']);
  expect(customer.agentTexts.filter((text) => text === 'Heard: only once please')).toHaveLength(1);
});

test('card numbers are masked before model, transcript and log; order numbers are not', async () => {
  const { customer, created } = await join(plain);
  await customer.send('my card is 4111 1111 1111 1111 and the order is 1042');
  await customer.waitForText(/Heard: my card is \[card number ending in 1111\] and the order is 1042/);
  const row = await waitUntil(async () => {
    const [found] = await stack.database.sql`
      select content from interaction_messages
      where interaction_id = ${created.interaction_id} and role = 'customer'`;
    return found;
  });
  expect(row.content).not.toContain('4111 1111');
  expect(JSON.stringify(model.requests)).not.toContain('4111 1111 1111');
  expect(stack.log.join('\n')).not.toContain('4111 1111');
});

test('a customer who leaves in mid-tool: the call comes to its end and the interaction is archived', async () => {
  const { customer, created } = await join(tooled);
  // A try that failed has left its calls behind.
  recorder.forget();
  const release = recorder.hold('/slow');
  await customer.send('look up slowly');
  await waitUntil(() => recorder.calls.some((call) => call.path === '/slow'));
  await customer.leave();
  release();
  const archive = await waitUntil(async () => {
    const [row] = await stack.database.sql`
      select i.status, i.end_reason, t.state from interactions i
      join interaction_archives a on a.interaction_id = i.id
      left join tool_calls t on t.interaction_id = i.id and t.tool_name = 'slow_look_up'
      where i.id = ${created.interaction_id}`;
    return row;
  }, 30_000);
  expect(archive).toMatchObject({ status: 'completed', end_reason: 'customer_left', state: 'succeeded' });
});

test('the same job delivered twice, and jobs with metadata nobody can read: one agent, no reply of another', async () => {
  const { customer, created } = await join(plain);
  const { url, apiKey, apiSecret } = stack.livekit;
  const dispatches = new AgentDispatchClient(url, apiKey, apiSecret);
  const metadata = JSON.stringify({ interaction_id: created.interaction_id });
  await dispatches.createDispatch(created.room, 'floorwalker', { metadata });
  await dispatches.createDispatch(created.room, 'floorwalker', { metadata: 'not json' });
  await dispatches.createDispatch(created.room, 'floorwalker', {
    metadata: JSON.stringify({ interaction_id: '00000000-0000-4000-8000-000000000000' }),
  });
  await waitUntil(() =>
    ['held', 'not_found'].every((why) => stack.log.some((line) => line.includes(`"why":"${why}"`))),
  );
  await waitUntil(() => stack.log.some((line) => line.includes('metadata can not be read')));
  await customer.send('who is there');
  await customer.waitForText('Heard: who is there');
  expect(customer.agentsSeen).toHaveLength(1);
  expect(customer.agentTexts.filter((text) => text === 'Heard: who is there')).toHaveLength(1);
});

test('a forged doorbell of the customer changes nothing', async () => {
  const { customer, created } = await join(plain);
  const { url, apiKey, apiSecret } = stack.livekit;
  const rooms = new RoomServiceClient(url, apiKey, apiSecret);
  const [participant] = (await rooms.listParticipants(created.room)).filter(
    (p) => p.identity === customer.identity,
  );
  expect(participant?.permission?.canPublishData).toBe(true);
  for (let count = 0; count < 20; count += 1) await customer.send('ring', `ring-${count}`);
  await customer.waitForText('Heard: ring');
  const [row] = await stack.database
    .sql`select status, control from interactions where id = ${created.interaction_id}`;
  expect(row).toMatchObject({ status: 'active', control: 'agent' });
});
