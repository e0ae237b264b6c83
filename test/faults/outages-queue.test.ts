import { afterAll, afterEach, beforeAll, expect, test } from 'vitest';
import { type Customer, SOUND_DB } from '../../src/embedded/rehearsal/caller/caller.ts';
import type { Agent } from '../support/fixtures.ts';
import { type ScriptedModel, setupModel, wantsJson } from '../support/model.ts';
import { setupSpeech, type TestSpeech } from '../support/speech.ts';
import { type Stack, setupStack, waitUntil } from '../support/stack.ts';

let model: ScriptedModel;
let speech: TestSpeech;
let stack: Stack;

beforeAll(async () => {
  model = await setupModel((request) => `Heard: ${request.lastUser}`);
  model.background(wantsJson, () => ({ text: '{}' }));
  speech = await setupSpeech();
  stack = await setupStack({
    openaiBaseUrl: model.openaiBaseUrl,
    speech,
    env: { LIMIT_ADDRESS_OPEN: '50', LIMIT_ADDRESS_PER_MINUTE: '100' },
    figures: { rejoinChatMs: 500, rejoinVoiceMs: 500 },
  });
}, 240_000);

afterAll(async () => {
  await stack?.stop();
  await speech?.stop();
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
  return joined;
}

function status(created: { interaction_id: string; resume_token: string }) {
  return stack.request(`/v1/interactions/${created.interaction_id}/status`, {
    body: { resume_token: created.resume_token },
  });
}

test('no agent is free: a client is told its place at once and while it moves up, and is served in its turn', async () => {
  const agent = await stack.createAgent({ maxConcurrentInteractions: 1 });
  const first = await join(agent);
  await first.customer.waitForText(/AI assistant/);
  const second = await join(agent);
  const third = await join(agent);
  expect([second, third].map(({ created }) => created.position)).toEqual([1, 2]);
  await second.customer.waitFor(() => second.customer.queuePlaces.includes(1));
  await third.customer.waitFor(() => third.customer.queuePlaces.includes(2));
  expect((await status(third.created)).body).toMatchObject({ status: 'queued', position: 2 });

  await first.customer.leave();
  await second.customer.waitForText(/AI assistant/, { deadlineMs: 60_000 });
  expect(third.customer.agentTexts).toHaveLength(0);
  await third.customer.waitFor(() => third.customer.queuePlaces.at(-1) === 1);
  await second.customer.leave();
  await third.customer.waitForText(/AI assistant/, { deadlineMs: 60_000 });
  expect((await status(third.created)).body).toMatchObject({ status: 'active', position: 0 });
  await third.customer.send('thank you for waiting');
  await third.customer.waitForText('Heard: thank you for waiting');
}, 240_000);

test('who hangs up while waiting leaves the queue, and who comes back keeps the place', async () => {
  const agent = await stack.createAgent({ maxConcurrentInteractions: 1 });
  const first = await join(agent);
  await first.customer.waitForText(/AI assistant/);
  const second = await join(agent);
  const third = await join(agent);
  await third.customer.waitFor(() => third.customer.queuePlaces.includes(2));
  // A page that reloads.
  await third.customer.leave();
  const again = await stack.rejoin(third.created);
  customers.push(again);
  await again.waitFor(() => again.queuePlaces.includes(2));
  await second.customer.leave();
  const row = await waitUntil(async () => {
    const [found] = await stack.database.sql`
      select status, end_reason from interactions where id = ${second.created.interaction_id}`;
    return found?.status === 'failed' ? found : undefined;
  }, 45_000);
  expect(row.end_reason).toBe('left_queue');
  await again.waitFor(() => again.queuePlaces.at(-1) === 1);
  await first.customer.leave();
  await again.waitForText(/AI assistant/, { deadlineMs: 60_000 });
}, 240_000);

test('a caller hears that they wait, in place of nothing, until an agent comes and speaks alone', async () => {
  const agent = await stack.createAgent({
    agentType: 'voice',
    greeting: 'Hello from the harbour.',
    maxConcurrentInteractions: 1,
  });
  const first = await join(agent);
  await first.customer.waitForText(/Hello from the harbour/, { deadlineMs: 60_000 });
  const joinedAt = Date.now();
  const second = await join(agent);
  const announcer = `announcer-${second.created.interaction_id}`;
  /** What the announcer gives to hear after a moment, in milliseconds. */
  const announcedMs = (since: number) =>
    second.customer.voices.filter(({ at, levelDb }) => at > since && levelDb > SOUND_DB).length * 20;
  // Speech, and no single tone.
  await second.customer.waitFor(() => announcedMs(joinedAt) > 1_500, { deadlineMs: 60_000 });
  expect(second.customer.voices.every(({ identity }) => identity === announcer)).toBe(true);
  expect(second.customer.agentsSeen).toHaveLength(0);

  await first.customer.leave();
  await second.customer.waitForText(/Hello from the harbour/, { deadlineMs: 60_000 });
  const agentAt = await second.customer.waitForSound(joinedAt, { deadlineMs: 60_000 });
  await second.customer.waitForQuiet(1_000, { deadlineMs: 60_000 });
  expect(announcedMs(agentAt + 500)).toBe(0);
}, 240_000);
