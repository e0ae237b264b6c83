import { readFile } from 'node:fs/promises';
import type { Page } from 'playwright-core';
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest';
import { updateArchive } from '../../src/database/archives.ts';
import { completeInteraction } from '../../src/database/interactions.ts';
import { appendRecords } from '../../src/database/records.ts';
import { gatedCall, startInteraction } from '../database/floor.ts';
import {
  expectAccessible,
  expectNoComplaints,
  openBrowser,
  type PageOptions,
  signIn,
  type TestBrowser,
} from '../support/browser.ts';
import type { Agent, Person } from '../support/fixtures.ts';
import { type ScriptedModel, setupModel, wantsJson } from '../support/model.ts';
import { type Stack, setupStack } from '../support/stack.ts';

let model: ScriptedModel;
let stack: Stack;
let browser: TestBrowser;
let admin: Person;
let agent: Agent;

beforeAll(async () => {
  model = await setupModel((request) => `You said: ${request.lastUser}`);
  model.background(wantsJson, () => ({ text: '{}' }));
  [stack, browser] = await Promise.all([setupStack({ openaiBaseUrl: model.openaiBaseUrl }), openBrowser()]);
  admin = await stack.database.createUser({
    businessId: stack.business.id,
    role: 'admin',
    name: 'Ada Admin',
  });
  agent = await stack.createAgent({
    name: 'Paper Pal',
    maxConcurrentInteractions: 10,
    tools: [
      {
        toolName: 'refund_order',
        requiresPermission: true,
        toolConfig: { transport: 'http', endpoint: 'http://127.0.0.1:9/mcp' },
      },
    ],
  });
}, 90_000);

afterAll(async () => {
  await browser?.close();
  await stack?.stop();
  await model?.stop();
}, 60_000);

const pages: Page[] = [];
afterEach(async () => {
  for (const page of pages.splice(0)) await page.close();
});

async function open(person: Person, path: string, options?: PageOptions): Promise<Page> {
  const page = await browser.newPage(options);
  pages.push(page);
  await signIn(page, stack.apiUrl, person, path);
  return page;
}

/** A conversation that has ended, with a decision in it. */
async function archived(given: {
  words: string[];
  summary: string;
  phone: string;
  issue: string;
}): Promise<string> {
  const { service, sql } = stack.database;
  const one = await startInteraction(service, agent, { phone_number: given.phone });
  const began = Date.now() - 120_000;
  await sql`update interactions set started_at = ${new Date(began)} where id = ${one.id}`;
  const messages = given.words.map((content, place) => ({
    item_id: `m${place}`,
    role: place % 2 === 0 ? ('customer' as const) : ('agent' as const),
    content,
    spoken_at: new Date(began + place * 20_000).toISOString(),
  }));
  await appendRecords(service, [{ interaction_id: one.id, generation: 1, messages, steps: [] }]);
  await gatedCall(service, one, { arguments: { order: '<b>1051</b>' } });
  await completeInteraction(service, { ...one.key, status: 'completed', endReason: 'customer_left' });
  await updateArchive(service, {
    interactionId: one.id,
    result: {
      summary: given.summary,
      issues: [{ issue: `about ${given.issue}`, status: 'resolved', priority: 'low' }],
      tags: { topics: ['orders'], issues: [{ tag: given.issue, status: 'resolved' }], sentiment: 'critical' },
    },
  });
  return one.id;
}

test('a supervisor finds a conversation by what was said, plays it along its time, and takes it away', async () => {
  await archived({
    words: [
      'My kettle <i>exploded</i>.',
      'That is dreadful.',
      'I want my money back.',
      'I will ask for that.',
    ],
    summary: 'A kettle exploded; refund asked for.',
    phone: '+12025550142',
    issue: 'refund_request',
  });
  await archived({
    words: ['Where is my parcel?', 'On its way.'],
    summary: 'Asked for a parcel.',
    phone: '+12025550999',
    issue: 'late_delivery',
  });
  const page = await open(stack.supervisor, '/history');
  const results = page.getByRole('grid', { name: 'Conversations that have ended' });
  await results.getByText('Asked for a parcel.').waitFor();
  await page.getByLabel('Words').fill('exploding kettles');
  await page.getByRole('button', { name: 'Search' }).click();
  await results.getByText('Asked for a parcel.').waitFor({ state: 'detached' });
  await results.getByText(/My kettle/).waitFor();
  // The search is in the address: a reload keeps it.
  await page.reload();
  await results.getByText('A kettle exploded; refund asked for.').waitFor();
  expect(await results.getByRole('row').count()).toBe(2);
  await page.getByLabel('Words').fill('');
  await page.getByLabel('Phone').fill('5550999');
  await page.getByLabel('Issue').fill('Late delivery');
  await page.keyboard.press('Enter');
  await results.getByText('Asked for a parcel.').waitFor();
  expect(await results.getByRole('row').count()).toBe(2);
  await page.getByLabel('From').fill('2020-01-01');
  await page.getByLabel('Until').fill('2020-01-02');
  await page.keyboard.press('Enter');
  await page.getByText('No conversation fits all of that').waitFor();
  await page.getByRole('button', { name: 'Clear' }).click();

  await results.getByText('A kettle exploded; refund asked for.').click();
  const replay = page.getByRole('region', { name: 'Replay' });
  await replay.getByText('I will ask for that.').waitFor();
  await replay.getByText('My kettle <i>exploded</i>.').waitFor();
  // From the beginning: what is said later is not there yet, and comes.
  const place = replay.getByRole('slider', { name: 'Place in the conversation' });
  await place.fill('10000');
  expect(await replay.getByText('That is dreadful.').count()).toBe(0);
  await replay.getByRole('button', { name: 'Play' }).click();
  await replay.getByText('That is dreadful.').waitFor();
  await replay.getByRole('button', { name: 'Pause' }).click();
  expect(await replay.getByText('I will ask for that.').count()).toBe(0);
  await place.fill('10000000');
  await replay.getByText(/Tool/).click();
  await replay.getByText('"<b>1051</b>"').waitFor();

  const [file] = await Promise.all([
    page.waitForEvent('download'),
    page.getByRole('button', { name: 'Export as text' }).click(),
  ]);
  expect(await readFile(await file.path(), 'utf8')).toMatch(/That is dreadful/);
  const audit = await stack.database.sql`
    select actor_id from audit_events where action = 'archive.exported' and actor_id = ${stack.supervisor.id}`;
  expect(audit).toHaveLength(1);
  expectNoComplaints(page);
}, 90_000);

test('an admin edits an agent: mistakes are said at the field, the next conversation has the change, and it goes back', async () => {
  const page = await open(admin, '/agents');
  await page.getByRole('grid', { name: 'Agents' }).getByText('Paper Pal').click();
  const greeting = page.getByLabel('Greeting');
  await greeting.fill('Ahoy from {{nowhere}}!');
  await page.getByLabel('Language', { exact: true }).fill('Klingon!');
  await page.getByRole('button', { name: 'Save' }).click();
  await page.getByText(/2 fields have to be mended/).waitFor();
  expect(await greeting.getAttribute('aria-invalid')).toBe('true');
  await page.getByLabel('Language', { exact: true }).fill('en');
  await greeting.fill('Ahoy from {{business_name}}!');
  await page.getByLabel('Why (for the history)').fill('friendlier');
  await page.getByRole('button', { name: 'Save' }).click();
  await page.getByText('Saved as version 2.').waitFor();

  const { customer } = await stack.join(agent);
  await customer.waitForText(/Ahoy from Harbour Goods!/);
  await customer.leave();

  const versions = page.getByRole('region', { name: 'Versions' });
  await versions.getByText('friendlier').waitFor();
  await versions.getByRole('button', { name: 'What it changed in version 2' }).click();
  await versions.locator('ins').filter({ hasText: 'Ahoy from {{business_name}}!' }).waitFor();
  await versions.locator('del').filter({ hasText: 'Hello, how can I help?' }).waitFor();
  await versions.getByRole('button', { name: 'Go back to it (version 1)' }).click();
  await page.getByText('Version 1 is back, as version 3.').waitFor();
  expect(await greeting.inputValue()).toBe('Hello, how can I help?');
  expectNoComplaints(page);
}, 90_000);

test('two people edit at once: the later one is told who was faster, and nothing is lost', async () => {
  const page = await open(admin, `/agents/${agent.id}`);
  await page.getByLabel('Greeting').fill('From Ada.');
  const mine = await stack.request(`/v1/agents/${agent.id}`, { as: stack.supervisor });
  const {
    name,
    language,
    max_concurrent_interactions,
    system_prompt,
    model_settings,
    voice_settings,
    tools,
    version,
  } = mine.body;
  const saved = await stack.request(`/v1/agents/${agent.id}`, {
    method: 'PUT',
    as: stack.supervisor,
    body: {
      version,
      name,
      language,
      public: true,
      max_concurrent_interactions,
      system_prompt,
      model_settings,
      voice_settings,
      tools,
      greeting: 'From Sam.',
    },
  });
  expect(saved.status).toBe(200);
  await page.getByRole('button', { name: 'Save' }).click();
  const dialog = page.getByRole('dialog', { name: 'The agent was changed meanwhile' });
  await dialog.getByText(/Sam Supervisor saved version/).waitFor();
  await dialog.getByText(/greeting/).waitFor();
  await expectAccessible(page);
  await dialog.getByRole('button', { name: 'Keep editing' }).click();
  expect(await page.getByLabel('Greeting').inputValue()).toBe('From Ada.');
  await page.getByRole('button', { name: 'Save' }).click();
  await dialog.getByRole('button', { name: 'Save mine over it' }).click();
  await page.getByText(/Saved as version/).waitFor();
  expect(await page.getByLabel('Greeting').inputValue()).toBe('From Ada.');
}, 60_000);

test('a supervisor may not take a gate away, and says so', async () => {
  const page = await open(stack.supervisor, `/agents/${agent.id}`);
  await page.getByText('Only an admin may remove this gate.').waitFor();
  expect(await page.getByRole('switch', { name: /Needs permission/ }).isDisabled()).toBe(true);
  expect(await page.getByRole('button', { name: 'Add a tool' }).count()).toBe(0);
}, 60_000);

test.each([
  { theme: 'light', width: 1_280 },
  { theme: 'dark', width: 360 },
] as const)(
  'the pages are accessible and fit in $theme at $width pixels',
  async (options) => {
    const id = await archived({
      words: ['Hello.', 'Hello.'],
      summary: 'Said hello.',
      phone: '+12025550111',
      issue: 'refund_request',
    });
    const page = await open(admin, '/history', options);
    const shown: [path: string, words: string][] = [
      ['/history', 'Said hello.'],
      [`/history/${id}`, 'Place in the conversation'],
      ['/performance', 'Leaderboard'],
      ['/agents', 'Paper Pal'],
      [`/agents/${agent.id}`, 'Versions'],
    ];
    for (const [path, words] of shown) {
      await page.goto(`${stack.apiUrl}/console${path}`);
      await page.getByText(words).or(page.getByLabel(words)).first().waitFor();
      await expectAccessible(page);
      expect(await page.evaluate('document.documentElement.scrollWidth <= innerWidth'), path).toBe(true);
    }
    expectNoComplaints(page);
  },
  90_000,
);
