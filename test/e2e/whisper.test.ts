import { randomInt } from 'node:crypto';
import { Room } from '@livekit/rtc-node';
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest';
import type { Customer } from '../../src/embedded/rehearsal/caller/caller.ts';
import type { Agent, Person } from '../support/fixtures.ts';
import { type ModelRequest, type ScriptedModel, setupModel, wantsJson } from '../support/model.ts';
import { type Created, type Stack, setupStack, waitUntil } from '../support/stack.ts';

let model: ScriptedModel;
let stack: Stack;
let agent: Agent;
/** Answers with this in their words wait until the test lets them go. */
let release: () => void = () => {};
let held: Promise<void> = Promise.resolve();

function answer(request: ModelRequest) {
  const result = request.lastMessage?.role === 'tool' ? request.toolResults.at(-1) : undefined;
  if (result) return `Result: ${result.output}`;
  const secret = /secret-\w+/.exec(request.system)?.[0];
  const number = /\+\d{8,}/.exec(request.lastUser)?.[0];
  if (/call me/.test(request.lastUser)) {
    const wanted = {
      reason: 'a broken parcel',
      preferred_time: 'after five',
      ...(number ? { phone_number: number } : {}),
    };
    return { toolCalls: [{ name: 'request_callback', arguments: wanted }] };
  }
  if (/a person/.test(request.lastUser)) {
    return { toolCalls: [{ name: 'request_supervisor', arguments: { reason: 'asked for one' } }] };
  }
  const text = `Heard: ${request.lastUser} / ${secret ? 'hinted' : 'no hint'}`;
  return /slowly/.test(request.lastUser) ? { text, holdUntil: held } : { text };
}

beforeAll(async () => {
  model = await setupModel(answer);
  model.background(wantsJson, () => ({ text: '{}' }));
  stack = await setupStack({
    openaiBaseUrl: model.openaiBaseUrl,
    env: { LIMIT_ADDRESS_OPEN: '50', LIMIT_ADDRESS_PER_MINUTE: '100' },
    figures: { metricsMs: 1_000 },
  });
  agent = await stack.createAgent({ maxConcurrentInteractions: 20 });
}, 90_000);

afterAll(async () => {
  await stack?.stop();
  await model?.stop();
}, 60_000);

const leaving: (() => Promise<void>)[] = [];
afterEach(async (context) => {
  if (context.task.result?.state === 'fail') console.error(stack.log.slice(-60).join('\n'));
  for (const leave of leaving.splice(0)) await leave();
});

async function join(): Promise<{ customer: Customer; created: Created }> {
  const joined = await stack.join(agent);
  leaving.push(() => joined.customer.leave());
  await joined.customer.waitForText(/AI assistant/);
  return joined;
}

const whisper = (created: Created, text: string, as: Person = stack.supervisor) =>
  stack.request(`/v1/interactions/${created.interaction_id}/whisper`, { body: { text }, as });
const taken = (created: Created) =>
  waitUntil(async () => {
    const rows = await stack.database.sql`
      select delivered_at from whispers where interaction_id = ${created.interaction_id}`;
    return rows.length > 0 && rows.every((row) => row.delivered_at !== null);
  });

/** Everything that reaches the customer's side of the room, on whatever topic. */
async function eavesdrop(created: Created): Promise<string[]> {
  const answered = await stack.request(`/v1/interactions/${created.interaction_id}/rejoin`, {
    body: { resume_token: created.resume_token },
  });
  const { url, token } = answered.body as { url: string; token: string };
  const room = new Room();
  const heard: string[] = [];
  for (const topic of ['lk.chat', 'lk.transcription', 'floorwalker.history', 'floorwalker.ack']) {
    room.registerTextStreamHandler(topic, async (reader) => void heard.push(await reader.readAll()));
  }
  room.on('dataReceived', (payload) => void heard.push(new TextDecoder().decode(payload)));
  await room.connect(url, token, { autoSubscribe: false, dynacast: false });
  leaving.push(() => room.disconnect());
  return heard;
}

test('a hint counts for the agent’s next words, and never reaches the customer’s room', async () => {
  const { customer, created } = await join();
  // Words that no earlier try has said.
  const hello = `hello, ${randomInt(100_000, 999_999)}`;
  await customer.send(hello);
  await customer.waitForText(`Heard: ${hello} / no hint`);
  await customer.leave();
  // The customer's page is loaded anew after the hint: also what they are sent then has nothing of it.
  expect((await whisper(created, 'the code is secret-4711')).status).toBe(202);
  await taken(created);
  const heard = await eavesdrop(created);
  await waitUntil(() => heard.some((text) => text.includes(`Heard: ${hello}`)));
  const again = await stack.rejoin(created);
  leaving.push(() => again.leave());
  await again.send('and now');
  await again.waitForText('Heard: and now / hinted');
  // It was the customer's turn: a hint alone is no reason to talk.
  expect(model.turns.filter(({ lastUser }) => lastUser === hello)).toHaveLength(1);
  expect([...heard, ...again.texts.map(({ text }) => text)].join('\n')).not.toContain('secret-4711');
  expect(JSON.stringify(again.history)).not.toContain('secret-4711');
  const rows = await stack.database.sql`
    select content from interaction_messages where interaction_id = ${created.interaction_id}`;
  expect(JSON.stringify(rows)).not.toContain('secret-4711');
}, 60_000);

test('a hint that comes while the customer waits changes the answer they are waiting for; there is one answer', async () => {
  const { customer, created } = await join();
  held = new Promise((resolve) => {
    release = resolve;
  });
  const words = `tell me slowly, ${randomInt(100_000, 999_999)}`;
  const asked = () => model.turns.filter(({ lastUser }) => lastUser === words).length;
  await customer.send(words);
  await waitUntil(() => asked() === 1);
  await whisper(created, 'the code is secret-4712');
  await waitUntil(() => asked() === 2);
  release();
  await customer.waitForText(`Heard: ${words} / hinted`);
  expect(customer.agentTexts.filter((text) => text.includes(words))).toHaveLength(1);
}, 60_000);

test('a hint outlives the worker, and is in the conversation once', async () => {
  const { customer, created } = await join();
  await customer.send('hello');
  await customer.waitForText('Heard: hello / no hint');
  await whisper(created, 'the code is secret-4713');
  await taken(created);
  stack.killWorkers();
  await stack.startWorker();
  await customer.waitFor(() => customer.agentsSeen.length > 1, {
    what: 'the next agent',
    deadlineMs: 40_000,
  });
  await customer.waitForAck(await customer.send('after it'), { deadlineMs: 30_000 });
  await customer.waitForText('Heard: after it / hinted', { deadlineMs: 30_000 });
  expect(model.turns.at(-1)?.text.match(/secret-4713/g)).toHaveLength(1);
}, 120_000);

test('nobody is there: the agent says so, and a call back is recorded and done', async () => {
  const { customer, created } = await join();
  await stack.database.sql`update users set last_seen_at = null`;
  await customer.send('I want a person');
  const honest = await customer.waitForText(/Result: No supervisor is there right now/);
  expect(honest.text).toContain('request_callback');
  await customer.send('call me please');
  await customer.waitForText(/Result: .*phone number/);
  await customer.send('call me on +351210000000');
  await customer.waitForText(/Result: Recorded: a person calls \+351210000000/);
  const list = await stack.request('/v1/callbacks', { as: stack.supervisor });
  const callbacks = list.body.data as { id: string; interaction_id: string; preferred_time: string }[];
  const wanted = callbacks.find(({ interaction_id }) => interaction_id === created.interaction_id);
  expect(wanted).toMatchObject({ preferred_time: 'after five' });
  const done = await stack.request(`/v1/callbacks/${wanted?.id}/done`, { body: {}, as: stack.supervisor });
  expect(done.body).toMatchObject({ done_by_name: 'Sam Supervisor' });
  // Somebody opens the console.
  await stack.database.service.rpc('touch_presences', { p_user_ids: [stack.supervisor.id] });
  await customer.send('is there a person now');
  await customer.waitForText(/Result: A supervisor has been called/);
}, 60_000);
