import { afterAll, afterEach, beforeAll, expect, test } from 'vitest';
import { type Customer, joinAsCustomer } from '../../src/embedded/rehearsal/caller/caller.ts';
import type { Agent, Person } from '../support/fixtures.ts';
import { type ScriptedModel, setupModel, wantsJson } from '../support/model.ts';
import { setupSpeech, type TestSpeech } from '../support/speech.ts';
import { type Created, type Stack, setupStack, waitUntil } from '../support/stack.ts';

const STORY = 'Once upon a time there was a ship that never came home, and nobody knew why it had left. ';
const OFFER = 'Hello, this is Vera. You get a new parcel tomorrow.';
const THANKS = 'That is very kind, thank you.';
const GRACE_MS = 3_000;

let model: ScriptedModel;
let speech: TestSpeech;
let stack: Stack;
let agent: Agent;
let supervisor: Person;

beforeAll(async () => {
  speech = await setupSpeech();
  model = await setupModel((request) =>
    /story/i.test(request.lastUser) ? STORY.repeat(6) : `You said: ${request.lastUser}`,
  );
  model.background(wantsJson, () => ({ text: '{}' }));
  stack = await setupStack({
    openaiBaseUrl: model.openaiBaseUrl,
    speech,
    env: { LIMIT_ADDRESS_OPEN: '50', LIMIT_ADDRESS_PER_MINUTE: '100' },
    // The customer's silence would be asked about long before a takeover is over.
    figures: { metricsMs: 500, takeoverGraceMs: GRACE_MS, silenceFirstMs: 4_000 },
  });
  agent = await stack.createAgent({
    agentType: 'voice',
    greeting: 'Hello from {{business_name}}.',
    maxConcurrentInteractions: 10,
  });
  supervisor = await stack.supervisorOf(agent);
}, 90_000);

afterAll(async () => {
  await stack?.stop();
  await speech?.stop();
  await model?.stop();
}, 60_000);

const people: Customer[] = [];
afterEach(async (context) => {
  if (context.task.result?.state === 'fail') console.error(stack.log.slice(-60).join('\n'));
  for (const person of people.splice(0)) await person.leave();
});

async function callWithStory() {
  const joined = await stack.join(agent);
  const { customer } = joined;
  people.push(customer);
  await customer.prepare('Please tell me a story.', THANKS);
  await customer.waitForText(/Hello from Harbour Goods/, { deadlineMs: 50_000 });
  await customer.say('Please tell me a story.');
  await customer.waitFor(
    () => customer.texts.some(({ text }) => text.includes('Once upon a time there was')),
    { deadlineMs: 25_000, what: 'the beginning of the story' },
  );
  return joined;
}

/** Takes over and joins with a microphone, which hears the customer. */
async function takeOver(created: Created): Promise<{ human: Customer; takenAt: number }> {
  const path = `/v1/interactions/${created.interaction_id}/takeover`;
  const taken = await stack.request(path, { body: {}, as: supervisor });
  const takenAt = Date.now();
  const { url, token } = taken.body as { url: string; token: string };
  const human = await joinAsCustomer({
    url,
    token,
    channel: 'voice',
    agentPrefix: 'customer-',
    speech: { baseUrl: speech.openaiBaseUrl, voice: 'alloy' },
  });
  people.push(human);
  await human.prepare(OFFER);
  return { human, takenAt };
}

const said = (created: Created, role: string) =>
  waitUntil(async () => {
    const rows = await stack.database.sql<{ content: string }[]>`
      select content from interaction_messages
      where interaction_id = ${created.interaction_id} and role = ${role} order by seq`;
    const words = rows.map(({ content }) => content).join(' ');
    return { words };
  });
const heardOf = (created: Created, role: string, pattern: RegExp) =>
  waitUntil(async () => {
    const { words } = await said(created, role);
    return pattern.test(words) ? words : undefined;
  }, 25_000);
const handBack = (created: Created, body: object = {}) =>
  stack.request(`/v1/interactions/${created.interaction_id}/handback`, { body, as: supervisor });

test('taken over in mid-sentence: the agent is cut off, both people are heard and written down, and it goes on', async () => {
  const { customer, created } = await callWithStory();
  const { human, takenAt } = await takeOver(created);
  const silentAt = await customer.waitForQuiet(700);
  // The story goes on for half a minute. How fast it is cut off is measured by the bench, on a machine of its own.
  expect(silentAt - takenAt).toBeLessThan(4_000);
  const asked = model.turns.length;

  const offer = await human.say(OFFER);
  expect(customer.voices.some(({ at, levelDb }) => at > offer.startedAt && levelDb > -45)).toBe(true);
  await heardOf(created, 'supervisor', /Vera.*new parcel tomorrow/i);
  const thanks = await customer.say(THANKS);
  expect(human.sounds.some(({ at, levelDb }) => at > thanks.startedAt && levelDb > -45)).toBe(true);
  await heardOf(created, 'customer', /very kind/i);
  const last = await human.say(OFFER);
  await waitUntil(
    async () => ((await said(created, 'supervisor')).words.match(/parcel/gi)?.length ?? 0) >= 2,
  );
  expect(model.turns.length).toBe(asked);
  expect(customer.lastSound()).toBe(silentAt);
  const [row] = await stack.database.sql`
    select interrupted, content from interaction_messages
    where interaction_id = ${created.interaction_id} and content like 'Once upon%'`;
  expect(row).toMatchObject({ interrupted: true });

  // Who watches reads it while it is said, under the id of the message that it becomes.
  const [watched] = await stack.database.sql`
    select array_agg(distinct m.role order by m.role) as roles from floorwalker.changes c
    join interaction_messages m on m.interaction_id = c.interaction_id and m.item_id = c.payload ->> 'item_id'
      and m.role = c.payload ->> 'role' and c.payload ? 'content'
    where c.interaction_id = ${created.interaction_id}`;
  expect(watched?.roles).toEqual(['agent', 'customer', 'supervisor']);

  const returnedAt = Date.now();
  expect((await handBack(created)).status).toBe(204);
  await human.waitFor(() => human.disconnected, { what: 'the removal of the human' });
  const resumedAt = await customer.waitForSound(last.endedAt);
  expect(resumedAt).toBeGreaterThan(returnedAt);
  expect(resumedAt - returnedAt).toBeLessThan(5_000);
  await customer.waitForText(/A\.I\. assistant again/);
  await customer.waitForQuiet(1_200);
  await customer.say(THANKS);
  await customer.waitForText(/You said: That is very kind/, { deadlineMs: 25_000 });
  expect(model.turns.at(-1)?.text).toMatch(/human colleague.*Vera/);
}, 120_000);

test('a customer who waits is answered after the hand back; a human who hangs up is made up for', async () => {
  const { customer, created } = await callWithStory();
  const { human } = await takeOver(created);
  await customer.waitForQuiet(700);
  await customer.say(THANKS);
  await heardOf(created, 'customer', /very kind/i);
  const leftAt = Date.now();
  await human.leave();
  const apology = await customer.waitForText(/lost the connection/, { deadlineMs: 25_000 });
  expect(apology.at - leftAt).toBeGreaterThan(GRACE_MS - 500);
  await customer.waitForText(/You said: That is very kind/, { deadlineMs: 25_000 });
}, 90_000);
