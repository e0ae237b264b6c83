import { afterAll, beforeAll, expect, test } from 'vitest';
import { type ScriptedModel, setupModel, wantsJson } from '../support/model.ts';
import { type Stack, setupStack, waitUntil } from '../support/stack.ts';

let model: ScriptedModel;
let stack: Stack;

beforeAll(async () => {
  model = await setupModel((request) => `You said: ${request.lastUser}`);
  model.background(wantsJson, () => ({ text: '{}' }));
  stack = await setupStack({ openaiBaseUrl: model.openaiBaseUrl, figures: { metricsMs: 500 } });
}, 90_000);

afterAll(async () => {
  await stack?.stop();
  await model?.stop();
});

test('a customer is greeted, answered and acknowledged, and finds every word in the transcript', async () => {
  const agent = await stack.createAgent({ greeting: 'Hello from {{business_name}}.' });
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
