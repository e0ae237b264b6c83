import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Page } from 'playwright-core';
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest';
import {
  expectAccessible,
  expectNoComplaints,
  openBrowser,
  type PageOptions,
  signIn,
  type TestBrowser,
} from '../support/browser.ts';
import type { Agent, Person } from '../support/fixtures.ts';
import { heardFrom, listenIn, voiced } from '../support/listening.ts';
import { type ScriptedModel, setupModel, wantsJson } from '../support/model.ts';
import { envelope, likeness, record, silence, speak } from '../support/recording.ts';
import { setupSpeech, type TestSpeech } from '../support/speech.ts';
import { type Stack, setupStack, waitUntil } from '../support/stack.ts';

const STORY = 'Once upon a time there was a ship that never came home, and nobody knew why it had left. ';

let model: ScriptedModel;
let speech: TestSpeech;
let stack: Stack;
let caller: TestBrowser;
let human: TestBrowser;
let agent: Agent;
let supervisor: Person;
let folder: string;
/** How loud the supervisor's recording is, moment by moment. */
let humanVoice: number[];

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'recordings-'));
  speech = await setupSpeech();
  model = await setupModel((request) =>
    /story/i.test(request.lastUser) ? STORY.repeat(12) : `You said: ${request.lastUser}`,
  );
  model.background(wantsJson, () => ({ text: '{}' }));
  const [asks, story, soothes] = await Promise.all([
    speak(speech.openaiBaseUrl, 'Where is my order one zero four two?', 'echo'),
    speak(speech.openaiBaseUrl, 'Please tell me a story.', 'echo'),
    speak(speech.openaiBaseUrl, 'Hello, this is Vera. I am a person. I will look after you now.', 'nova'),
  ]);
  // Again and again, from the moment at which the microphone opens: what a slow start missed comes once more.
  const callerFile = join(folder, 'caller.wav');
  const humanFile = join(folder, 'human.wav');
  const humanParts = [soothes, silence(0.7), soothes.subarray(0, 24_000), silence(1.1)];
  humanVoice = humanParts.flatMap((part) => envelope(part));
  await record(callerFile, [silence(8), asks, silence(12), story, silence(25)]);
  await record(humanFile, humanParts);
  stack = await setupStack({
    openaiBaseUrl: model.openaiBaseUrl,
    speech,
    figures: { silenceFirstMs: 60_000, silenceSecondMs: 70_000, silenceEndMs: 80_000 },
  });
  agent = await stack.createAgent({
    agentType: 'voice',
    name: 'Voice Pal',
    greeting: 'Hello from {{business_name}}.',
    maxConcurrentInteractions: 10,
  });
  supervisor = await stack.supervisorOf(agent);
  [caller, human] = await Promise.all([
    openBrowser({ microphone: callerFile }),
    openBrowser({ microphone: humanFile }),
  ]);
}, 120_000);

afterAll(async () => {
  await Promise.all([caller?.close(), human?.close()]);
  await stack?.stop();
  await speech?.stop();
  await model?.stop();
  await rm(folder, { recursive: true, force: true });
}, 60_000);

const pages: Page[] = [];
afterEach(async (context) => {
  if (context.task.result?.state === 'fail') console.error(stack.log.slice(-60).join('\n'));
  for (const page of pages.splice(0)) await page.close();
});

async function call(options?: PageOptions): Promise<Page> {
  const page = await caller.newPage(options);
  pages.push(page);
  await page.goto(`${stack.apiUrl}/try`);
  await page.getByRole('button', { name: `Call with ${agent.name}` }).click();
  await page.getByText('The call uses your microphone').waitFor();
  await expectAccessible(page);
  await page.getByRole('button', { name: 'Start the call' }).click();
  await page.getByRole('button', { name: 'Hang up' }).waitFor();
  await listenIn(page);
  await lines(page, 'agent').filter({ hasText: 'Hello from Harbour Goods' }).waitFor({ timeout: 40_000 });
  return page;
}

const lines = (page: Page, who: string) => page.locator(`.line.${who} .words`);

async function openInteraction(): Promise<string> {
  const [row] = await stack.database.sql<{ id: string }[]>`
    select id from interactions where agent_id = ${agent.id} order by created_at desc limit 1`;
  if (!row) throw new Error('there is no call');
  return row.id;
}

test('a caller is explained the microphone, heard, answered aloud, captioned on both sides, and hangs up', async () => {
  const since = Date.now();
  const page = await call({ theme: 'dark', width: 360 });
  await page.getByText('Your microphone works.').waitFor();
  await lines(page, 'customer').filter({ hasText: /order/i }).first().waitFor({ timeout: 80_000 });
  await lines(page, 'agent')
    .filter({ hasText: 'You said: Where is my order' })
    .first()
    .waitFor({ timeout: 80_000 });
  expect(voiced(await heardFrom(page, 'agent-', since))).toBeGreaterThan(0.1);
  await expectAccessible(page);
  await page.getByRole('button', { name: 'Mute' }).click();
  await page.getByText('Muted: nobody hears you.').waitFor();
  expect(await page.getByRole('button', { name: 'Mute' }).getAttribute('aria-pressed')).toBe('true');
  await page.getByRole('button', { name: 'Hang up' }).click();
  await page.getByText('The call has ended.').waitFor();
  await page.getByRole('radio', { name: /^5/ }).check();
  await page.getByRole('button', { name: 'Send rating' }).click();
  await page.getByText('Thank you for telling us.').waitFor();
  expectNoComplaints(page);
}, 200_000);

test('listened to unseen, then taken over in mid-sentence: the customer hears the human and no more of the agent, until it is handed back', async () => {
  const page = await call();
  await lines(page, 'agent').filter({ hasText: 'Once upon a time' }).first().waitFor({ timeout: 90_000 });
  const beforeAt = Date.now();
  await waitUntil(async () => voiced(await heardFrom(page, 'agent-', beforeAt)) > 0.3, 20_000);
  const id = await openInteraction();
  const theirs = await human.newPage();
  pages.push(theirs);
  await signIn(theirs, stack.apiUrl, supervisor, `/interactions/${id}`);

  // First unseen: the supervisor hears the room, and the customer's page knows of nobody.
  await theirs.getByRole('button', { name: 'Listen' }).click();
  await theirs.getByText('You listen, unseen').waitFor();
  await theirs.evaluate(`setInterval(() => {
    for (const player of document.querySelectorAll('audio')) player.dataset.participant ??= 'room';
  }, 50)`);
  await listenIn(theirs);
  const listensSince = Date.now();
  await waitUntil(async () => voiced(await heardFrom(theirs, 'room', listensSince)) > 0.05, 30_000);
  expect(await page.getByText('(a human)').count()).toBe(0);

  await theirs.getByRole('button', { name: 'Take over' }).click();
  await theirs.getByText('You have control.').waitFor();
  const committedAt = Date.now();
  await page.getByText(`${supervisor.name} (a human)`).waitFor();

  const from = Date.now() + 500;
  const until = from + 6_000;
  await waitUntil(() => Date.now() > until);
  const hers = await heardFrom(page, 'supervisor-', from, until);
  expect(voiced(hers)).toBeGreaterThan(0.3);
  // It is this recording that arrives, and not just any sound.
  expect(
    likeness(
      hers.levels.map(([, decibel]) => decibel),
      humanVoice,
    ),
  ).toBeGreaterThan(0.5);
  expect(voiced(await heardFrom(page, 'agent-', committedAt + 1_000, until))).toBe(0);
  await expectAccessible(page);

  await theirs.getByRole('button', { name: 'Hand back' }).click();
  const dialog = theirs.getByRole('dialog', { name: 'Hand back to the agent' });
  await dialog.getByRole('textbox').fill('She waits for her order.');
  await dialog.getByRole('button', { name: 'Hand back' }).click();
  await theirs.getByText('The agent leads the conversation.').waitFor();
  const handedBackAt = Date.now();
  await waitUntil(async () => voiced(await heardFrom(page, 'agent-', handedBackAt)) > 0.05, 20_000);
  await page.getByText(/Voice Pal \(AI assistant\)/).waitFor();
  expectNoComplaints(page);
  expectNoComplaints(theirs);
}, 240_000);
