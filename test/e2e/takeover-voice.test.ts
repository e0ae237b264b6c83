import { AudioStream, Room, RoomEvent, TrackKind } from '@livekit/rtc-node';
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest';
import { type Customer, joinAsCustomer, SOUND_DB } from '../../src/embedded/rehearsal/caller/caller.ts';
import { sayClearly } from '../support/clearly.ts';
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
const listeners: Room[] = [];
afterEach(async (context) => {
  if (context.task.result?.state === 'fail') console.error(stack.log.slice(-60).join('\n'));
  for (const person of people.splice(0)) await person.leave();
  for (const room of listeners.splice(0)) await room.disconnect();
});

async function callWithStory() {
  const joined = await stack.join(agent);
  const { customer } = joined;
  people.push(customer);
  await customer.prepare('Please tell me a story.', THANKS);
  await customer.waitForText(/Hello from Harbour Goods/, { deadlineMs: 50_000 });
  await sayClearly(customer, 'Please tell me a story.', /story/);
  await customer.waitFor(
    () => customer.texts.some(({ text }) => text.includes('Once upon a time there was')),
    { deadlineMs: 25_000, what: 'the beginning of the story' },
  );
  return joined;
}

/** Takes over and joins with a microphone, which hears the customer. */
async function takeOver(created: Created): Promise<{ human: Customer }> {
  const path = `/v1/interactions/${created.interaction_id}/takeover`;
  const taken = await stack.request(path, { body: {}, as: supervisor });
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
  return { human };
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
  const { human } = await takeOver(created);
  // How fast the story is cut off is measured by the bench, on a machine of its own.
  const silentAt = await customer.waitForQuiet(700);
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
  await customer.waitForText(/A\.I\. assistant again/);
  await customer.waitForQuiet(1_200);
  await sayClearly(customer, THANKS, /very kind/);
  await customer.waitForText(/You said: That is very kind/, { deadlineMs: 25_000 });
  expect(model.turns.at(-1)?.text).toMatch(/human colleague.*Vera/);
}, 200_000);

test('a customer who waits is answered after the hand back; a human who hangs up is made up for', async () => {
  const { customer, created } = await callWithStory();
  const { human } = await takeOver(created);
  await customer.waitForQuiet(700);
  await sayClearly(customer, THANKS, /very kind/);
  await heardOf(created, 'customer', /very kind/i);
  const leftAt = Date.now();
  await human.leave();
  const apology = await customer.waitForText(/lost the connection/, { deadlineMs: 25_000 });
  expect(apology.at - leftAt).toBeGreaterThan(GRACE_MS - 500);
  await customer.waitForText(/You said: That is very kind/, { deadlineMs: 25_000 });
}, 150_000);

/** Joins as any LiveKit client does; `lastHeard` says when there was a voice from whom. */
async function listen({ url, token }: { url: string; token: string }) {
  const room = new Room();
  listeners.push(room);
  const lastHeard = new Map<string, number>();
  room.on(RoomEvent.TrackSubscribed, (track, _publication, { identity }) => {
    if (track.kind !== TrackKind.KIND_AUDIO) return;
    const frames = new AudioStream(track, { sampleRate: 16_000, numChannels: 1, frameSizeMs: 20 });
    void (async () => {
      for await (const { data } of frames) {
        const power = data.reduce((sum, sample) => sum + sample * sample, 0) / data.length / 32768 ** 2;
        if (10 * Math.log10(power + 1e-12) > SOUND_DB) lastHeard.set(identity, Date.now());
      }
    })();
  });
  await room.connect(url, token, { autoSubscribe: true, dynacast: false });
  return { room, lastHeard };
}

test('a hidden monitor hears the customer and the agent, and the customer’s client knows of nobody who listens', async () => {
  const created = await stack.create(agent);
  const customer = await joinAsCustomer({
    url: created.url,
    token: created.token,
    channel: 'voice',
    // Whoever this client is told of, and not agents alone.
    agentPrefix: '',
    speech: { baseUrl: speech.openaiBaseUrl },
  });
  people.push(customer);
  await customer.prepare(THANKS);
  await customer.waitForText(/Hello from Harbour Goods/, { deadlineMs: 50_000 });
  const path = `/v1/interactions/${created.interaction_id}/monitor`;
  const { body } = await stack.request(path, { body: {}, as: supervisor });
  const monitor = await listen(body as { url: string; token: string });
  const spoken = await customer.say(THANKS);
  const heardOfCustomer = (since: number) => (monitor.lastHeard.get(customer.identity) ?? 0) >= since;
  const heardOfAgent = (since: number) =>
    [...monitor.lastHeard].some(([identity, at]) => identity.startsWith('agent-') && at >= since);
  await customer.waitFor(() => heardOfCustomer(spoken.startedAt), { what: 'the customer, at the monitor' });
  await customer.waitFor(() => heardOfAgent(spoken.endedAt), {
    what: 'the agent’s answer, at the monitor',
    deadlineMs: 30_000,
  });
  expect(customer.agentsSeen.length).toBeGreaterThan(0);
  expect(customer.agentsSeen.filter((identity) => !identity.startsWith('agent-'))).toEqual([]);
}, 200_000);
