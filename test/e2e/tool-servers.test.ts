import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { JSONValue } from 'postgres';
import { afterAll, afterEach, beforeAll, expect, onTestFinished, test } from 'vitest';
import type { Customer } from '../../src/embedded/rehearsal/caller/caller.ts';
import { type ModelRequest, type ScriptedModel, setupModel, wantsJson } from '../support/model.ts';
import { setupSpeech, type TestSpeech } from '../support/speech.ts';
import { type Stack, setupStack, waitUntil } from '../support/stack.ts';
import { type HttpFixture, startHttpServer } from '../tools/servers/http.ts';

const STDIO = fileURLToPath(new URL('../tools/servers/stdio.ts', import.meta.url));
const ASKING = fileURLToPath(new URL('../tools/servers/asking.ts', import.meta.url));

let model: ScriptedModel;
let speech: TestSpeech;
let stack: Stack;

/** Calls the tool that the customer asks for; gives up what runs when they change their mind. */
function obedient(request: ModelRequest) {
  if (/never mind/i.test(request.lastUser) && request.toolNames.includes('withdraw_request'))
    return { toolCalls: [{ name: 'withdraw_request', arguments: { reason: 'changed their mind' } }] };
  const result = request.lastMessage?.role === 'tool' ? request.toolResults.at(-1) : undefined;
  if (result) return `Result: ${result.output}`;
  if (/both/.test(request.lastUser) && request.toolNames.includes('find_order'))
    return { toolCalls: [1, 2].map((order) => ({ name: 'find_order', arguments: { order, phone: '+49' } })) };
  const [name] = /think|work|refund|find_order/.exec(request.lastUser.toLowerCase()) ?? [];
  if (name === undefined || !request.toolNames.includes(name)) return `Heard: ${request.lastUser}`;
  const args = { think: {}, work: { ms: 16_000 } }[name] ?? { order: 1, phone: '+49' };
  return { toolCalls: [{ name, arguments: args }] };
}

beforeAll(async () => {
  speech = await setupSpeech();
  model = await setupModel(obedient);
  model.background(wantsJson, () => ({ text: '{}' }));
  model.background(/^Say yes\.$/, () => ({ text: 'Yes, says the model of the agent.' }));
  stack = await setupStack({
    openaiBaseUrl: model.openaiBaseUrl,
    speech,
    env: { LIMIT_ADDRESS_OPEN: '50', LIMIT_ADDRESS_PER_MINUTE: '100' },
    figures: { fillerMs: 1_000, progressMs: 2_000 },
  });
}, 90_000);

afterAll(async () => {
  await stack?.stop();
  await speech?.stop();
  await model?.stop();
}, 60_000);

const customers: Customer[] = [];
afterEach(async (context) => {
  if (context.task.result?.state === 'fail') console.error(stack.log.slice(-60).join('\n'));
  for (const customer of customers.splice(0)) await customer.leave();
});

async function converse(agentType: 'chat' | 'voice', toolName: string, toolConfig: JSONValue) {
  const supervisor = await stack.database.createUser({
    businessId: stack.business.id,
    supervisorType: agentType,
  });
  const agent = await stack.createAgent({
    agentType,
    supervisorId: supervisor.id,
    greeting: 'Hello from {{business_name}}.',
    tools: [{ toolName, toolConfig }],
  });
  const { customer, created } = await stack.join(agent);
  customers.push(customer);
  await customer.waitForText(/Hello from/, { deadlineMs: 25_000 });
  return { customer, id: created.interaction_id, supervisor };
}

const asking = (extra: { sampling?: boolean } = {}) => ({
  transport: 'stdio',
  command: process.execPath,
  args: [ASKING],
  ...extra,
});

/** Says it until the tool has done it: one that is not listed yet, or not again, is not there for the model. */
async function insist(customer: Customer, words: string, done: RegExp): Promise<void> {
  await waitUntil(async () => {
    const since = Date.now();
    await customer.send(words);
    const { text } = await customer.waitForText(/Result: |Heard: /, { since, deadlineMs: 40_000 });
    return done.test(text);
  }, 90_000);
}

async function hanging(): Promise<{ server: HttpFixture; config: JSONValue }> {
  const server = await startHttpServer('hang_on_call');
  onTestFinished(() => server.close());
  // A server's own word that it destroys would ask for permission; the rule says otherwise.
  const policy = [{ effect: 'allow' as const }];
  return { server, config: { transport: 'http', endpoint: server.url, policy, params: { timeout: 120 } } };
}

test("a tool's server may ask the agent's model where its row allows it, and is told nothing of the talk", async () => {
  const { customer, id } = await converse('chat', 'think', asking({ sampling: true }));
  await customer.send('my secret is blue, now think');
  await customer.waitForText(/Result: think: .*Yes, says the model of the agent/);
  const sampled = model.requests.find(({ lastUser }) => lastUser === 'Say yes.');
  expect(sampled?.text).not.toContain('blue');
  // It wanted 100,000.
  expect(sampled?.body).toMatchObject({ max_completion_tokens: 500 });
  const steps = await waitUntil(async () => {
    const rows = await stack.database
      .sql`select name from interaction_steps where interaction_id = ${id} and step_type = 'sampling'`;
    return rows.length > 0 ? rows : undefined;
  });
  expect(steps).toMatchObject([{ name: 'think' }]);
});

test('and may not where the row says nothing of it', async () => {
  const { customer } = await converse('chat', 'think', asking());
  const before = model.requests.filter(({ lastUser }) => lastUser === 'Say yes.').length;
  await customer.send('think');
  await customer.waitForText(/Result: .*(error|not)/);
  expect(model.requests.filter(({ lastUser }) => lastUser === 'Say yes.')).toHaveLength(before);
});

test('what a tool that takes long says of its progress is read in a chat, and in the feed of its supervisor', async () => {
  const { customer, id } = await converse('chat', 'work', asking());
  await customer.send('please work');
  await customer.waitForText(/\b(13|25|38|50) %/, { deadlineMs: 40_000 });
  await waitUntil(async () => {
    const rows = await stack.database.sql`
      select from realtime_metrics
      where interaction_id = ${id} and feed_text ~ 'running work, (13|25|38|50) % done'`;
    return rows.length > 0;
  }, 40_000);
});

test('and heard on a call, in the voice of the agent', async () => {
  const { customer } = await converse('voice', 'work', asking());
  await customer.prepare('Please do the work.');
  const spoken = await customer.say('Please do the work.');
  await customer.waitForText(/\b(13|25|38|50) percent/, { deadlineMs: 60_000 });
  expect(customer.firstSoundAfter(spoken.endedAt)).toBeDefined();
}, 120_000);

test('a customer who changes their mind stops the tool that runs, and its server is told', async () => {
  const { server, config } = await hanging();
  const { customer, id } = await converse('chat', 'refund', config);
  await customer.send('refund it');
  await waitUntil(() => server.calls.length === 1);
  expect(server.cancelled).toBe(0);
  await customer.send('never mind');
  await waitUntil(() => server.cancelled === 1);
  // It was sent, and nobody knows how far it came.
  await customer.waitForText(/Result: /);
  const [call] = await stack.database
    .sql`select state from tool_calls where interaction_id = ${id} and tool_name = 'refund'`;
  expect(call?.state).toBe('unknown');
});

test('the end of the interaction stops the tool that runs, and its server is told', async () => {
  const { server, config } = await hanging();
  const { customer, id, supervisor } = await converse('chat', 'refund', config);
  await customer.send('refund it');
  await waitUntil(() => server.calls.length === 1);
  await stack.request(`/v1/interactions/${id}/end`, { body: {}, as: supervisor });
  await waitUntil(() => server.cancelled === 1, 30_000);
  await waitUntil(async () => {
    const [row] = await stack.database.sql`select status from interactions where id = ${id}`;
    return row?.status === 'completed' ? true : undefined;
  });
});

test('two calls of one step run at the same time', async () => {
  const server = await startHttpServer('answers_pairs');
  onTestFinished(() => server.close());
  const config = { transport: 'http', endpoint: server.url, params: { timeout: 30 } };
  const { customer, id } = await converse('chat', 'find_order', config);
  const sofar = model.turns.length;
  await customer.send('find both');
  await customer.waitForText(/Result: /, { deadlineMs: 150_000 });
  const calls = await stack.database
    .sql`select arguments->'order' as "order", state from tool_calls where interaction_id = ${id}`;
  expect(calls.toSorted((one, other) => one.order - other.order)).toEqual([
    { order: 1, state: 'succeeded' },
    { order: 2, state: 'succeeded' },
  ]);
  // The model is asked once for both, not after the first.
  const answered = model.turns
    .slice(sofar)
    .filter(({ lastMessage, text }) => lastMessage?.role === 'tool' && /both/.test(text));
  expect(answered.map(({ toolResults }) => toolResults.map(({ output }) => output))).toEqual([
    [expect.stringContaining('order 1'), expect.stringContaining('order 2')],
  ]);
}, 180_000);

test('a server that dies while it pays back: the customer is told that nobody knows, and it works when it is back', async () => {
  const { server, config } = await hanging();
  const { customer, id } = await converse('chat', 'refund', config);
  await customer.send('refund it');
  await waitUntil(() => server.calls.length === 1);
  await server.close();
  await customer.waitForText(/Result: The outcome is unknown/, { deadlineMs: 40_000 });
  const [call] = await stack.database.sql`select state from tool_calls where interaction_id = ${id}`;
  expect(call?.state).toBe('unknown');
  await customer.send('hello there');
  await customer.waitForText(/Heard: hello there/);
  const back = await startHttpServer('plain', server.port);
  onTestFinished(() => back.close());
  await insist(customer, 'refund it', /Result: order 1/);
  expect(back.calls.map(({ name }) => name)).toEqual(['refund']);
}, 180_000);

test('a program that dies in the midst of a call is started again for the next one', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'floorwalker-died-'));
  onTestFinished(() => rm(folder, { recursive: true }));
  const died = join(folder, 'died');
  const { customer, id } = await converse('chat', 'find_order', {
    transport: 'stdio',
    command: process.execPath,
    args: [STDIO, 'die_on_call', died],
  });
  // It only reads: told as failed, not as something to be looked into.
  await insist(customer, 'find_order it', /its server ended/);
  await insist(customer, 'find_order it', /Result: order 1/);
  const states = await stack.database.sql`select distinct state from tool_calls where interaction_id = ${id}`;
  expect(states.map(({ state }) => state)).not.toContain('unknown');
}, 240_000);

test('a conversation is greeted and answered though a tool server never comes up', async () => {
  const { customer, id } = await converse('chat', 'ping', {
    transport: 'stdio',
    command: process.execPath,
    args: [STDIO, 'hang_on_start'],
  });
  await customer.send('hello there');
  await customer.waitForText(/Heard: hello there/);
  await waitUntil(async () => {
    const rows = await stack.database.sql`
      select from interaction_steps where interaction_id = ${id} and step_type = 'tool_trouble'`;
    return rows.length > 0 ? rows : undefined;
  }, 30_000);
});
