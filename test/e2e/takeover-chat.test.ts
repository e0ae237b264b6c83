import { afterAll, afterEach, beforeAll, expect, test } from 'vitest';
import { type Customer, joinAsCustomer } from '../../src/embedded/rehearsal/caller/caller.ts';
import type { Agent, Person } from '../support/fixtures.ts';
import { type ModelRequest, type ScriptedModel, setupModel, wantsJson } from '../support/model.ts';
import { setupRecorder, type ToolRecorder } from '../support/recorder.ts';
import { type Created, type Stack, setupStack, waitUntil } from '../support/stack.ts';

/** Time enough for a busy machine to bring somebody back. */
const GRACE_MS = 8_000;
/** Two minutes of words, one every 50 ms: whoever does not stop it hears it for long. */
const STORY = 'Once upon a time there was a ship that nobody had seen. '.repeat(200);

let model: ScriptedModel;
let recorder: ToolRecorder;
let stack: Stack;
let agent: Agent;
let admin: Person;

function answer(request: ModelRequest) {
  const result = request.lastMessage?.role === 'tool' ? request.toolResults.at(-1) : undefined;
  if (result) return `Result: ${result.output}`;
  if (/story/.test(request.lastUser)) return { text: STORY, tokenMs: 50 };
  if (/refund/.test(request.lastUser) && request.toolNames.includes('refund_order')) {
    return { toolCalls: [{ name: 'refund_order', arguments: { order: '1042' } }] };
  }
  return `Heard: ${request.lastUser}`;
}

beforeAll(async () => {
  model = await setupModel(answer);
  model.background(wantsJson, () => ({ text: '{}' }));
  recorder = await setupRecorder();
  stack = await setupStack({
    openaiBaseUrl: model.openaiBaseUrl,
    env: { LIMIT_ADDRESS_OPEN: '50', LIMIT_ADDRESS_PER_MINUTE: '100' },
    figures: { metricsMs: 300, reassuranceMs: 800, takeoverGraceMs: GRACE_MS },
  });
  admin = await stack.database.createUser({
    businessId: stack.business.id,
    role: 'admin',
    name: 'Ada Admin',
  });
  agent = await stack.createAgent({
    maxConcurrentInteractions: 20,
    tools: [
      {
        toolName: 'refund_order',
        requiresPermission: true,
        toolConfig: {
          endpoint: `${recorder.url}/refund`,
          method: 'POST',
          description: 'Refunds an order.',
          input_schema: { type: 'object', properties: { order: { type: 'string' } }, required: ['order'] },
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

const people: Customer[] = [];
afterEach(async (context) => {
  if (context.task.result?.state === 'fail') console.error(stack.log.slice(-60).join('\n'));
  for (const person of people.splice(0)) await person.leave();
});

async function join() {
  const joined = await stack.join(agent);
  people.push(joined.customer);
  await joined.customer.waitForText(/AI assistant/);
  return joined;
}

async function takeOver(created: Created, as: Person, body: object = {}): Promise<Customer> {
  const taken = await stack.request(`/v1/interactions/${created.interaction_id}/takeover`, { body, as });
  expect(taken.status).toBe(200);
  const { url, token } = taken.body as { url: string; token: string };
  const person = await joinAsCustomer({ url, token, channel: 'chat' });
  people.push(person);
  return person;
}

const handBack = (created: Created, as: Person, body: object = {}) =>
  stack.request(`/v1/interactions/${created.interaction_id}/handback`, { body, as });
const fromHuman = (customer: Customer, text: string) =>
  customer.waitFor(() => customer.texts.find((one) => one.role === 'supervisor' && one.text === text), {
    what: `the human’s “${text}”`,
  });
const transcript = (created: Created) => stack.database.sql<
  { role: string; content: string; metadata: unknown }[]
>`
  select role, content, interrupted, metadata from interaction_messages
  where interaction_id = ${created.interaction_id} order by spoken_at, seq`;
const stepTypes = async (created: Created) =>
  (
    await stack.database.sql<{ step_type: string }[]>`
    select step_type from interaction_steps where interaction_id = ${created.interaction_id} order by happened_at, id`
  ).map(({ step_type }) => step_type);
/** The moment after which nothing the model was asked for can still be under way. */
const silenced = (created: Created) =>
  waitUntil(async () => (await stepTypes(created)).includes('silenced') || undefined);

test('who meets a person first is told that it is an AI when the agent has its turn', async () => {
  const created = await stack.create(agent);
  const began = (line: string) => line.includes('session began') && line.includes(created.interaction_id);
  await waitUntil(() => stack.log.some(began));
  const human = await takeOver(created, stack.supervisor);
  await silenced(created);
  const customer = await stack.rejoin(created);
  people.push(customer);
  await customer.waitForAck(await customer.send('is this a person'));
  const words = 'It is. I am Sam.';
  await human.waitForAck(await human.send(words));
  await fromHuman(customer, words);
  expect(customer.agentTexts).toEqual([]);
  expect((await handBack(created, stack.supervisor)).status).toBe(204);
  await customer.waitForText(/chatting with an AI assistant/);
  await customer.send('and now?');
  await customer.waitForText('Heard: and now?');
  expect(customer.agentTexts).toEqual([
    expect.stringContaining('chatting with an AI assistant'),
    'Heard: and now?',
  ]);
});

test('taken over in mid-sentence: silence at once, the human is heard, the agent goes on knowing it all', async () => {
  const { customer, created } = await join();
  await customer.send('tell me a story');
  await customer.waitFor(() => customer.texts.some(({ text }) => text.includes('a ship that nobody')), {
    what: 'the story',
  });
  const human = await takeOver(created, stack.supervisor);
  await silenced(created);
  const cut = customer.texts.findLast(({ role }) => role === 'agent')?.text ?? '';
  const asked = model.turns.length;

  const offer = await human.send('This is Sam. I can give you a voucher of 10.');
  await human.waitForAck(offer);
  await fromHuman(customer, 'This is Sam. I can give you a voucher of 10.');
  const reply = await customer.send('yes please, that is wonderful, thank you');
  await customer.waitForAck(reply);
  await human.waitFor(() => human.texts.some(({ text }) => text.includes('yes please')), {
    what: 'the customer’s answer, on the human’s screen',
  });
  await human.waitForAck(await human.send('Done, it is in your account.'));
  const fed = await waitUntil(async () => {
    const [row] = await stack.database.sql`
      select feed_text from realtime_metrics where interaction_id = ${created.interaction_id}
        and feed_text like '%a supervisor has taken over%' limit 1`;
    return row;
  });
  expect(fed.feed_text).toContain('supervisor');
  expect(model.turns.length).toBe(asked);
  expect(customer.texts.findLast(({ role }) => role === 'agent')?.text).toBe(cut);

  const returnedAt = Date.now();
  expect((await handBack(created, stack.supervisor, { note: 'the voucher is number V77' })).status).toBe(204);
  const resumed = await customer.waitForText(/AI assistant again/, { since: returnedAt });
  expect(resumed.at - returnedAt).toBeLessThan(3_000);
  await human.waitFor(() => human.disconnected, { what: 'the human’s removal from the room' });

  await customer.send('how do I use it');
  await customer.waitForText('Heard: how do I use it');
  const request = model.turns.at(-1);
  for (const known of [
    'voucher of 10',
    'Done, it is in your account',
    'V77',
    'yes please',
    'handed it back',
  ]) {
    expect(request?.text).toContain(known);
  }
  const said = customer.agentTexts;
  expect(new Set(said).size).toBe(said.length);
  expect(customer.texts.some(({ text }) => text.includes('V77'))).toBe(false);

  const rows = await waitUntil(async () => {
    const stored = await transcript(created);
    return stored.length >= 9 ? stored : undefined;
  });
  expect(rows.map(({ role }) => role)).toEqual([
    'agent',
    'customer',
    'agent',
    'supervisor',
    'customer',
    'supervisor',
    'agent',
    'customer',
    'agent',
  ]);
  expect(rows[2]).toMatchObject({ interrupted: true });
  expect(rows[3]?.metadata).toMatchObject({ by: stack.supervisor.id, by_name: 'Sam Supervisor' });
  const types = await stepTypes(created);
  for (const type of ['takeover', 'silenced', 'hand_back', 'resumed']) expect(types).toContain(type);
}, 60_000);

test('a customer who waits for an answer at the hand back gets one, and no other words', async () => {
  const { customer, created } = await join();
  const human = await takeOver(created, stack.supervisor);
  await human.waitForAck(await human.send('One moment, I look it up.'));
  await customer.waitForAck(await customer.send('when does it arrive'));
  const returnedAt = Date.now();
  await handBack(created, stack.supervisor);
  const reply = await customer.waitForText('Heard: when does it arrive', { since: returnedAt });
  expect(reply.at - returnedAt).toBeLessThan(3_000);
  expect(customer.agentTexts).toHaveLength(2);
}, 60_000);

test('a gated tool is decided and runs during a takeover; its outcome is told after the hand back', async () => {
  // A try that failed has left its calls behind.
  recorder.forget();
  const { customer, created } = await join();
  await customer.send('please refund order 1042');
  await customer.waitForText(/approval/);
  const human = await takeOver(created, stack.supervisor);
  await silenced(created);
  const before = customer.texts.length;
  const asked = model.turns.length;
  const [permission] = await stack.database.sql`
    select id from tool_permissions where interaction_id = ${created.interaction_id}`;
  const decided = await stack.request(`/v1/permissions/${permission?.id}/decision`, {
    body: { decision: 'allowed' },
    as: stack.supervisor,
  });
  expect(decided.status).toBe(200);
  await waitUntil(async () => {
    const [call] = await stack.database.sql`
      select state, output from tool_calls where interaction_id = ${created.interaction_id} and state = 'succeeded'`;
    return call;
  });
  // Three times the interval of reassurance, counted in rows of metrics: nothing of the agent's came meanwhile.
  const ticks = async () =>
    Number(
      (
        await stack.database.sql`
        select count(*) as n from realtime_metrics where interaction_id = ${created.interaction_id}`
      )[0]?.n,
    );
  const from = await ticks();
  await waitUntil(async () => (await ticks()) >= from + 8);
  expect(customer.texts.length).toBe(before);
  expect(model.turns.length).toBe(asked);
  expect((await handBack(created, stack.supervisor)).status).toBe(204);
  await customer.waitForText(/Result: .*ref-/);
  expect(recorder.calls).toHaveLength(1);
  expect(human.disconnected ?? (await human.waitFor(() => human.disconnected))).toBeDefined();
}, 60_000);

test('one person has control: others can not write, an admin who insists can, and a spent token opens nothing', async () => {
  const { customer, created } = await join();
  const first = await takeOver(created, stack.supervisor);
  await first.waitForAck(await first.send('Sam here.'));
  const path = `/v1/interactions/${created.interaction_id}/takeover`;
  const refused = await stack.request(path, { body: {}, as: admin });
  expect(refused.body).toMatchObject({ code: 'control_held', controlled_by_name: 'Sam Supervisor' });
  const spent = await stack.request(path, { body: {}, as: stack.supervisor });
  const second = await takeOver(created, admin, { insist: true });
  await first.waitFor(() => first.disconnected, { what: 'the end of the first one’s time in the room' });
  await second.waitForAck(await second.send('Ada here.'));
  await fromHuman(customer, 'Ada here.');

  // A token that is still good brings its holder into the room and out again; what they write does not count.
  const { url, token } = spent.body as { url: string; token: string };
  const intruder = await joinAsCustomer({ url, token, channel: 'chat' });
  people.push(intruder);
  await intruder.send('Sam again.').catch(() => {});
  await intruder.waitFor(() => intruder.disconnected, { what: 'the removal of who has no control' });
  await handBack(created, admin);
  await customer.waitForText(/AI assistant (again|once more)|once more/);
  expect((await transcript(created)).map(({ content }) => content)).not.toContain('Sam again.');
}, 60_000);

test('a human who drops out keeps control for the grace period; one who comes back in time keeps it for good', async () => {
  const { customer, created } = await join();
  const human = await takeOver(created, stack.supervisor);
  await human.waitForAck(await human.send('Sam here.'));
  await human.leave();
  const again = await takeOver(created, stack.supervisor);
  await again.waitForAck(await again.send('Back again.'));
  const backAt = Date.now();
  await waitUntil(() => Date.now() - backAt > GRACE_MS + 1_500 || undefined);
  await again.waitForAck(await again.send('Still here.'));
  expect(customer.agentTexts).toHaveLength(1);

  await customer.waitForAck(await customer.send('and now'));
  const leftAt = Date.now();
  await again.leave();
  const apology = await customer.waitForText(/lost the connection/, { since: leftAt });
  expect(apology.at - leftAt).toBeGreaterThan(GRACE_MS - 500);
  expect(apology.at - leftAt).toBeLessThan(GRACE_MS + 4_000);
  await customer.waitForText('Heard: and now');
  const [row] = await stack.database.sql`
    select control, controlled_by from interactions where id = ${created.interaction_id}`;
  expect(row).toEqual({ control: 'agent', controlled_by: null });
  expect(await stepTypes(created)).toContain('control_released');
}, 90_000);

test('a takeover outlives the worker: the next one is silent, hears the human, and goes on after the hand back', async () => {
  const { customer, created } = await join();
  const human = await takeOver(created, stack.supervisor);
  await human.waitForAck(await human.send('Sam here, I promise a gift.'));
  stack.killWorkers();
  await stack.startWorker();
  await customer.waitFor(() => customer.agentsSeen.length > 1, {
    what: 'the next agent',
    deadlineMs: 40_000,
  });
  await human.waitForAck(await human.send('Still me.'), { deadlineMs: 30_000 });
  await customer.waitForAck(await customer.send('good'));
  expect(customer.agentTexts).toHaveLength(1);
  await handBack(created, stack.supervisor);
  await customer.waitForText('Heard: good');
  expect(model.turns.at(-1)?.text).toContain('I promise a gift');
}, 120_000);
