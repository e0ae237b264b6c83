import { afterAll, afterEach, beforeAll, expect, test } from 'vitest';
import { type ScriptedModel, setupModel, wantsJson } from '../support/model.ts';
import { setupSpeech, type TestSpeech } from '../support/speech.ts';
import { type Stack, setupStack, waitUntil } from '../support/stack.ts';

let model: ScriptedModel;
let speech: TestSpeech;
let stack: Stack;

beforeAll(async () => {
  speech = await setupSpeech();
  model = await setupModel((request) => {
    if (/story/.test(request.lastUser))
      return `${'This is a long story about a ship that never came home. '.repeat(8)}`;
    return `You said: ${request.lastUser}`;
  });
  model.background(wantsJson, () => ({ text: '{}' }));
  stack = await setupStack({
    openaiBaseUrl: model.openaiBaseUrl,
    speech,
    env: { LIMIT_ADDRESS_OPEN: '50', LIMIT_ADDRESS_PER_MINUTE: '100' },
    figures: { metricsMs: 500, silenceFirstMs: 3_000, silenceSecondMs: 6_000, silenceEndMs: 10_000 },
  });
}, 90_000);

afterAll(async () => {
  await stack?.stop();
  await speech?.stop();
  await model?.stop();
}, 60_000);

test('a caller is greeted by voice, understood and answered by voice', async () => {
  const agent = await stack.createAgent({ agentType: 'voice', greeting: 'Hello from {{business_name}}.' });
  const { customer, created } = await stack.join(agent);
  await customer.waitForText(/Hello from Harbour Goods/, { deadlineMs: 20_000 });
  await customer.say('Where is my order one zero four two?');
  await customer.waitForText(/You said: Where is my order/, { deadlineMs: 20_000 });
  const rows = await waitUntil(async () => {
    const found = await stack.database.sql`
      select role, content from interaction_messages where interaction_id = ${created.interaction_id} order by seq`;
    return found.length >= 3 ? found : undefined;
  });
  expect(rows.map((row) => row.role)).toEqual(['agent', 'customer', 'agent']);
}, 60_000);

afterEach((context) => {
  if (context.task.result?.state === 'fail') console.error(stack.log.slice(-60).join('\n'));
});
