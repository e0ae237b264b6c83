import { afterAll, afterEach, beforeAll, expect, test } from 'vitest';
import type { Customer } from '../../src/embedded/rehearsal/caller/caller.ts';
import type { Agent } from '../support/fixtures.ts';
import { type ModelRequest, type ScriptedModel, setupModel, wantsJson } from '../support/model.ts';
import { setupSpeech, type TestSpeech } from '../support/speech.ts';
import { type Stack, setupStack, waitUntil } from '../support/stack.ts';

let model: ScriptedModel;
let speech: TestSpeech;
let stack: Stack;
/** What each model does. */
const behaviour: Record<string, 'works' | 'fails' | 'hangs'> = {};

function answer(request: ModelRequest) {
  const name = request.body.model ?? '';
  if (behaviour[name] === 'fails') return { status: 503 };
  if (behaviour[name] === 'hangs') return { hang: true as const };
  return `${name} heard: ${request.lastUser}`;
}

beforeAll(async () => {
  model = await setupModel(answer);
  model.background(wantsJson, () => ({ text: '{}' }));
  speech = await setupSpeech();
  stack = await setupStack({
    openaiBaseUrl: model.openaiBaseUrl,
    speech,
    env: { LIMIT_ADDRESS_OPEN: '50', LIMIT_ADDRESS_PER_MINUTE: '100' },
    figures: { modelTimeoutMs: 1_500 },
  });
}, 180_000);

afterAll(async () => {
  await stack?.stop();
  await speech?.stop();
  await model?.stop();
}, 60_000);

const customers: Customer[] = [];
afterEach(async (context) => {
  if (context.task.result?.state === 'fail') console.error(stack.log.slice(-40).join('\n'));
  for (const name of Object.keys(behaviour)) delete behaviour[name];
  speech.voice('works');
  for (const customer of customers.splice(0)) await customer.leave();
});

async function chat(agent: Agent, body?: Record<string, unknown>) {
  const joined = await stack.join(agent, body);
  customers.push(joined.customer);
  await joined.customer.waitForText(/AI assistant/);
  return joined;
}

test.for(['fails', 'hangs'] as const)(
  'a model that %s: the fallback answers, also the next turn without waiting for the first one',
  async (how) => {
    const agent = await stack.createAgent({
      modelSettings: { llm_model: 'first', fallback_model: 'second' },
    });
    const { customer, created } = await chat(agent);
    behaviour.first = how;
    await customer.send('hello');
    await customer.waitForText('second heard: hello');
    const before = model.turns.length;
    await customer.send('again');
    await customer.waitForText('second heard: again');
    expect(model.turns.slice(before).map(({ body }) => body.model)).toEqual(['second']);
    expect(customer.agentTexts.join(' ')).not.toMatch(/sorry/i);
    const failures = await waitUntil(async () => {
      const rows = await stack.database.sql`
        select model, output from interaction_steps
        where interaction_id = ${created.interaction_id} and step_type = 'model_failure'`;
      return rows.length > 0 ? rows : undefined;
    });
    for (const failure of failures) {
      expect(failure).toMatchObject({ model: 'first', output: { final: false } });
    }
    // What the fallback used is traced like any other call.
    await waitUntil(async () => {
      const rows = await stack.database.sql`
        select 1 from interaction_steps
        where interaction_id = ${created.interaction_id} and step_type = 'llm_call' and model = 'second'`;
      return rows.length >= 2;
    });
  },
);

test('no model answers: an apology with the offer to be called back, which is taken without any model', async () => {
  const agent = await stack.createAgent({ modelSettings: { llm_model: 'first', fallback_model: 'second' } });
  const { customer, created } = await chat(agent);
  behaviour.first = behaviour.second = 'fails';
  await customer.send('where is my order');
  await customer.waitForText(/sorry[\s\S]*called back by a person/i);
  await customer.send('yes please, +31 6 1234 5678');
  await customer.waitForText(/call you back on the number ending in 5678/);
  const [row] = await stack.database.sql`
    select phone_number, done_at from callback_requests where interaction_id = ${created.interaction_id}`;
  expect(row).toEqual({ phone_number: '+31612345678', done_at: null });
  behaviour.first = behaviour.second = 'works';
  await customer.send('are you back');
  await customer.waitForText(/heard: are you back/);
});

test.for(['fails', 'hangs'] as const)(
  'the speech service %s in mid-call: the caller hears an apology and reads the words, and is answered again afterwards',
  { timeout: 240_000 },
  async (how) => {
    const agent = await stack.createAgent({ agentType: 'voice', greeting: 'Hello from the harbour.' });
    const joined = await stack.join(agent);
    const { customer, created } = joined;
    customers.push(customer);
    await customer.prepare('What time do you close?', 'Where is my order?');
    await customer.waitForText(/Hello from the harbour/, { deadlineMs: 60_000 });
    await customer.waitForQuiet(1_500, { deadlineMs: 60_000 });
    speech.voice(how);
    const { endedAt } = await customer.say('What time do you close?');
    // Never dead silence, and whoever has a screen can read it.
    await customer.waitForSound(endedAt, { deadlineMs: 60_000 });
    await customer.waitForText(/heard: /, { deadlineMs: 60_000 });
    await waitUntil(async () => {
      const rows = await stack.database.sql`
        select 1 from interaction_steps
        where interaction_id = ${created.interaction_id} and step_type = 'speech_failed'`;
      return rows.length > 0;
    });
    speech.voice('works');
    await customer.waitForQuiet(1_500, { deadlineMs: 60_000 });
    const again = await customer.say('Where is my order?');
    await customer.waitForText(/heard: /, { since: again.endedAt, deadlineMs: 60_000 });
    await customer.waitForSound(again.endedAt, { deadlineMs: 60_000 });
  },
);
