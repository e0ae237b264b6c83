import { afterAll, afterEach, beforeAll, expect, test } from 'vitest';
import type { Customer } from '../../src/embedded/rehearsal/caller/caller.ts';
import { NOT_RECOGNISED } from '../../src/embedded/rehearsal/speech/recogniser.ts';
import { sayClearly } from '../support/clearly.ts';
import { COUGH } from '../support/cough.ts';
import type { Agent } from '../support/fixtures.ts';
import { type ScriptedModel, setupModel, wantsJson } from '../support/model.ts';
import { setupRecorder, type ToolRecorder } from '../support/recorder.ts';
import { setupSpeech, type TestSpeech } from '../support/speech.ts';
import { type Stack, setupStack, waitUntil } from '../support/stack.ts';

const STORY = 'Once upon a time there was a ship that never came home, and nobody knew why it had left. ';

let model: ScriptedModel;
let speech: TestSpeech;
let recorder: ToolRecorder;
let stack: Stack;
let agent: Agent;

beforeAll(async () => {
  speech = await setupSpeech();
  recorder = await setupRecorder();
  model = await setupModel((request) => {
    if (request.lastMessage?.role === 'tool') return 'The refund is done.';
    if (/story/i.test(request.lastUser)) return STORY.repeat(6);
    if (/refund/i.test(request.lastUser) && request.toolNames.includes('refund_order')) {
      return { toolCalls: [{ name: 'refund_order', arguments: { order: '1042' } }] };
    }
    return `You said: ${request.lastUser}`;
  });
  model.background(wantsJson, () => ({ text: '{}' }));
  stack = await setupStack({
    openaiBaseUrl: model.openaiBaseUrl,
    speech,
    env: { LIMIT_ADDRESS_OPEN: '50', LIMIT_ADDRESS_PER_MINUTE: '100' },
    figures: { metricsMs: 500, silenceFirstMs: 12_000, silenceSecondMs: 14_000, silenceEndMs: 16_000 },
  });
  agent = await stack.createAgent({
    agentType: 'voice',
    greeting: 'Hello from {{business_name}}.',
    maxConcurrentInteractions: 10,
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
  await speech?.stop();
  await model?.stop();
}, 60_000);

const customers: Customer[] = [];
afterEach(async (context) => {
  if (context.task.result?.state === 'fail') console.error(stack.log.slice(-60).join('\n'));
  for (const customer of customers.splice(0)) await customer.leave();
});

async function call() {
  const joined = await stack.join(agent);
  customers.push(joined.customer);
  await joined.customer.prepare(
    'Where is my order one zero four two?',
    'Please tell me a story.',
    'Stop, that is enough.',
    'Please refund my order.',
    'What time do you close?',
  );
  await joined.customer.waitForText(/Hello from Harbour Goods/, { deadlineMs: 25_000 });
  return joined;
}

/** The agent is in the middle of its story. */
async function tellStory(customer: Customer): Promise<void> {
  await sayClearly(customer, 'Please tell me a story.', /story/);
  await customer.waitFor(
    () => customer.texts.some(({ text }) => text.includes('Once upon a time there was')),
    {
      deadlineMs: 25_000,
      what: 'the beginning of the story',
    },
  );
}

test('a caller is greeted by voice, understood and answered by voice', async () => {
  const { customer, created } = await call();
  expect(customer.sounds.some((sound) => sound.levelDb > -45)).toBe(true);
  const spoken = await sayClearly(
    customer,
    'Where is my order one zero four two?',
    /Where is my order one zero four two/,
  );
  await customer.waitForText(/You said: Where is my order/, { deadlineMs: 25_000 });
  expect(customer.firstSoundAfter(spoken.endedAt)).toBeDefined();
  const rows = await waitUntil(async () => {
    const found = await stack.database.sql`
      select role, content from interaction_messages where interaction_id = ${created.interaction_id} order by seq`;
    return found.some(({ content }) => content.startsWith('You said: Where is my order')) ? found : undefined;
  });
  expect(rows[0]?.role).toBe('agent');
  expect(rows.find(({ content }) => content.startsWith('Where is my order'))?.role).toBe('customer');
  const usage = await waitUntil(async () => {
    const found = await stack.database.sql`
      select step_type, sum(characters)::int as characters, sum(audio_seconds) as seconds from interaction_steps
      where interaction_id = ${created.interaction_id} and step_type in ('speech', 'transcription', 'llm_call')
      group by step_type order by step_type`;
    return found.length >= 2 ? found : undefined;
  });
  expect(usage.find((row) => row.step_type === 'speech')?.characters).toBeGreaterThan(20);
}, 120_000);

test('barge-in: the agent falls silent, and the transcript has only what was heard', async () => {
  const { customer, created } = await call();
  await tellStory(customer);
  const { startedAt } = await sayClearly(customer, 'Stop, that is enough.', /Stop/);
  await customer.waitForText(/You said: Stop/, { deadlineMs: 25_000, since: startedAt });
  const story = await waitUntil(async () => {
    const [row] = await stack.database.sql`
      select content, interrupted from interaction_messages
      where interaction_id = ${created.interaction_id} and content like 'Once upon%'`;
    return row;
  });
  expect(story.interrupted).toBe(true);
  expect(story.content.length).toBeLessThan(STORY.length * 5);
}, 150_000);

test.each([
  ['who only listens, and says so', 'Mm-hmm.'],
  ['who coughs', COUGH.input],
])(
  'somebody %s does not stop the agent',
  async (_who, sound) => {
    const { customer } = await call();
    await customer.prepare(sound);
    for (let time = 1; ; time += 1) {
      await tellStory(customer);
      const { length: asked } = model.turns;
      const { length: understood } = customer.transcripts;
      const { endedAt } = await customer.say(sound);
      // A busy machine loses sound, and what is left of it may sound like words.
      const misheard = () =>
        customer.transcripts.slice(understood).some(({ text }) => text.includes(NOT_RECOGNISED));
      // It goes on with the story by itself: nobody has asked for anything.
      const goesOn = () => customer.soundBetweenMs(endedAt + 1_500, Date.now()) >= 2_000;
      await customer.waitFor(() => misheard() || goesOn(), {
        what: 'two more seconds of the story',
        deadlineMs: 30_000,
      });
      if (misheard() && time < 4) continue;
      expect(model.turns.length).toBe(asked);
      return;
    }
  },
  240_000,
);

test('a gated tool on a call: holding words are spoken, the caller may talk, the result is spoken', async () => {
  // A try that failed has left its calls behind.
  recorder.forget();
  const { customer, created } = await call();
  await sayClearly(customer, 'Please refund my order.', /refund my order/);
  await customer.waitForText(/approval/, { deadlineMs: 25_000 });
  await sayClearly(customer, 'What time do you close?', /What time/);
  await customer.waitForText(/You said: What time/, { deadlineMs: 25_000 });
  const [permission] = await stack.database.sql`
    select id, status from tool_permissions where interaction_id = ${created.interaction_id}`;
  expect(permission?.status).toBe('pending');
  const supervisor = await stack.supervisorOf(agent);
  const answer = await stack.request(`/v1/permissions/${permission?.id}/decision`, {
    body: { decision: 'allowed' },
    as: supervisor,
  });
  expect(answer.status).toBe(200);
  await customer.waitForText(/The refund is done/, { deadlineMs: 25_000 });
  expect(recorder.calls).toHaveLength(1);
}, 150_000);

test('recognition that is cut off: the caller is understood again on the same call', async () => {
  const { customer } = await call();
  speech.dropStreams();
  await sayClearly(customer, 'What time do you close?', /What time/);
  await customer.waitForText(/You said: What time/, { deadlineMs: 40_000 });
}, 150_000);

test('a caller who is gone in mid-sentence: the call is archived with what was said until then', async () => {
  const { customer, created } = await call();
  const speaking = customer.say('Please tell me a story.');
  await customer.waitFor(() => customer.transcripts.length > 0, {
    deadlineMs: 25_000,
    what: 'the first words',
  });
  await customer.leave();
  await speaking;
  const archived = await waitUntil(async () => {
    const [row] = await stack.database.sql`
      select i.status, i.end_reason, a.facts from interactions i
      join interaction_archives a on a.interaction_id = i.id where i.id = ${created.interaction_id}`;
    return row;
  }, 40_000);
  expect(archived).toMatchObject({ status: 'completed', end_reason: 'customer_left' });
  expect(archived.facts.messages.agent).toBeGreaterThanOrEqual(1);
}, 90_000);

test('a caller who says nothing is asked, asked again, and let go politely', async () => {
  const { customer, created } = await call();
  await customer.waitForText(/still there/i, { deadlineMs: 30_000 });
  await customer.waitForText(/can't hear you at the moment/i);
  await customer.waitForText(/end the call/i);
  const [row] = await waitUntil(async () => {
    const found = await stack.database.sql`
      select status, end_reason from interactions where id = ${created.interaction_id} and ended_at is not null`;
    return found.length > 0 ? found : undefined;
  }, 20_000);
  expect(row).toMatchObject({ status: 'completed', end_reason: 'customer_silent' });
}, 90_000);
