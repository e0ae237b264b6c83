import { afterAll, beforeAll, expect, test } from 'vitest';
import type { Agent } from '../support/fixtures.ts';
import { type ScriptedModel, setupModel, wantsJson } from '../support/model.ts';
import { type Stack, setupStack, waitUntil } from '../support/stack.ts';

let model: ScriptedModel;
let stack: Stack;
let agent: Agent;

beforeAll(async () => {
  model = await setupModel((request) => `You said: ${request.lastUser}`);
  model.background(wantsJson, () => ({ text: '{}' }));
  stack = await setupStack({ openaiBaseUrl: model.openaiBaseUrl, figures: { metricsMs: 500 } });
  agent = await stack.createAgent({
    greeting: 'Hello from {{business_name}}.',
    maxConcurrentInteractions: 10,
  });
}, 90_000);

afterAll(async () => {
  await stack?.stop();
  await model?.stop();
});

test('a customer is greeted, answered and acknowledged, and finds every word in the transcript', async () => {
  const { customer, created } = await stack.join(agent);
  await customer.waitForText(/Hello from Harbour Goods/);
  await customer.waitForText(/AI assistant/);
  const id = await customer.send('where is my parcel');
  await customer.waitForText('You said: where is my parcel');
  await customer.waitFor(() => customer.acknowledged.has(id));
  const { sql } = stack.database;
  const rows = await waitUntil(async () => {
    const found =
      await sql`select role, content from interaction_messages where interaction_id = ${created.interaction_id} order by seq`;
    return found.length >= 3 ? found : undefined;
  });
  expect(rows.map((row) => row.role)).toEqual(['agent', 'customer', 'agent']);
  expect(rows[1]?.content).toBe('where is my parcel');
});

test('who writes at once is greeted, told that this is an AI, and then answered, once', async () => {
  const created = await stack.create(agent);
  const began = (line: string) => line.includes('session began') && line.includes(created.interaction_id);
  await waitUntil(() => stack.log.some(began));
  // The agent is in the room already: LiveKit carries their words to it before it tells of them.
  const customer = await stack.rejoin(created);
  const first = await customer.send('is anybody there');
  await customer.waitForText('You said: is anybody there');
  await customer.waitForAck(first);
  const second = await customer.send('good');
  await customer.waitForText('You said: good');
  await customer.waitForAck(second);
  expect(customer.agentTexts).toEqual([
    expect.stringMatching(/^Hello from Harbour Goods\..*AI assistant/s),
    'You said: is anybody there',
    'You said: good',
  ]);
  const { sql } = stack.database;
  const rows = await waitUntil(async () => {
    const found =
      await sql`select role from interaction_messages where interaction_id = ${created.interaction_id} order by seq`;
    return found.length >= 5 ? found : undefined;
  });
  expect(rows.map(({ role }) => role)).toEqual(['agent', 'customer', 'agent', 'customer', 'agent']);
  // The model is shown them in the order in which they are read.
  const asked = model.turns.find(({ lastUser }) => lastUser === 'is anybody there');
  expect(asked?.lastMessage?.role).toBe('user');
});
