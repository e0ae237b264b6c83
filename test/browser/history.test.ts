import { randomInt } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import type { Locator, Page } from 'playwright-core';
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest';
import { seedHistory } from '../../bench/history.ts';
import { updateArchive } from '../../src/database/archives.ts';
import { completeInteraction } from '../../src/database/interactions.ts';
import { appendRecords } from '../../src/database/records.ts';
import { type Floor, setupFloor } from '../api/support.ts';
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

// No worker: it would claim the conversations that are made here before the test does.
let floor: Floor;
let browser: TestBrowser;
let admin: Person;
let supervisor: Person;
let agent: Agent;

beforeAll(async () => {
  // Without patience each search among more than some hundreds comes in pieces.
  [floor, browser] = await Promise.all([setupFloor({ figures: { searchPatienceMs: 0 } }), openBrowser()]);
  const { database } = floor;
  const { id: businessId } = await database.createBusiness({
    name: 'Harbour Goods',
    tagVocabulary: { topics: ['orders'], issues: ['refund_request', 'late_delivery'] },
  });
  [admin, supervisor] = await Promise.all([
    database.createUser({ businessId, role: 'admin', name: 'Ada Admin' }),
    database.createUser({ businessId, name: 'Sam Supervisor' }),
  ]);
  agent = await database.createAgent({
    businessId,
    supervisorId: supervisor.id,
    name: 'Paper Pal',
    maxConcurrentInteractions: 10,
  });
}, 90_000);

afterAll(async () => {
  await browser?.close();
  await floor?.stop();
}, 60_000);

const pages: Page[] = [];
afterEach(async () => {
  for (const page of pages.splice(0)) await page.close();
});

async function open(person: Person, path: string, options?: PageOptions): Promise<Page> {
  const page = await browser.newPage(options);
  pages.push(page);
  await signIn(page, floor.api.url, person, path);
  return page;
}

/** A conversation that has ended, with a decision in it: a first line, an answer 20 s later, more after ten minutes. */
async function archived(given: {
  words: string[];
  summary: string;
  phone: string;
  issue: string;
}): Promise<string> {
  const { service, sql } = floor.database;
  const one = await startInteraction(service, agent, { phone_number: given.phone });
  const began = Date.now() - 900_000;
  await sql`update interactions set started_at = ${new Date(began)} where id = ${one.id}`;
  const messages = given.words.map((content, place) => ({
    item_id: `m${place}`,
    role: place % 2 === 0 ? ('customer' as const) : ('agent' as const),
    content,
    spoken_at: new Date(began + place * 20_000 + (place > 1 ? 600_000 : 0)).toISOString(),
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

/** Rows besides the head of the table. */
const only = (results: Locator, count: number) =>
  expect.poll(() => results.getByRole('row').count(), { timeout: 20_000 }).toBe(count + 1);

test('a supervisor finds a conversation by what was said, plays it along its time, and takes it away', async () => {
  // Words and numbers that no earlier try has left behind.
  const digits = String(randomInt(100_000, 999_999));
  const parcel = `Asked for parcel ${digits}.`;
  const kettle = `A kettle exploded; refund ${digits} asked for.`;
  const exploded = await archived({
    words: [
      `My kettle <i>exploded</i> k${digits}.`,
      'That is dreadful.',
      'I want my money back.',
      'I will ask for that.',
    ],
    summary: kettle,
    phone: '+12025550142',
    issue: 'refund_request',
  });
  await archived({
    words: ['Where is my parcel?', 'On its way.'],
    summary: parcel,
    phone: `+31${digits}999`,
    issue: 'late_delivery',
  });
  const page = await open(supervisor, '/history');
  const results = page.getByRole('grid', { name: 'Conversations that have ended' });
  await results.getByText(parcel).waitFor();
  await page.getByLabel('Words').fill(`exploding kettles k${digits}`);
  await page.getByRole('button', { name: 'Search' }).click();
  await results.getByText(parcel).waitFor({ state: 'detached' });
  await results.getByText(new RegExp(`My kettle.*k${digits}`)).waitFor();
  // The search is in the address: a reload keeps it.
  await page.reload();
  await results.getByText(kettle).waitFor();
  await only(results, 1);
  await page.getByLabel('Words').fill('');
  await page.getByLabel('Phone').fill(`${digits}999`);
  await page.getByLabel('Issue').fill('Late delivery');
  await page.keyboard.press('Enter');
  await results.getByText(parcel).waitFor();
  await only(results, 1);
  await page.getByLabel('From').fill('2020-01-01');
  await page.getByLabel('Until').fill('2020-01-02');
  await page.keyboard.press('Enter');
  await page.getByText('No conversation fits all of that').waitFor();
  await page.getByRole('button', { name: 'Clear' }).click();

  await results.getByText(kettle).click();
  const replay = page.getByRole('region', { name: 'Replay' });
  await replay.getByText('I will ask for that.').waitFor();
  await replay.getByText(`My kettle <i>exploded</i> k${digits}.`).waitFor();
  // From near the beginning: what is said later is not there yet, and comes.
  const place = replay.getByRole('slider', { name: 'Place in the conversation' });
  await place.fill('10000');
  await replay.getByText('That is dreadful.').waitFor({ state: 'detached' });
  await replay.getByRole('button', { name: 'Play' }).click();
  await replay.getByText('That is dreadful.').waitFor();
  await replay.getByRole('button', { name: 'Pause' }).click();
  expect(await replay.getByText('I will ask for that.').count()).toBe(0);
  await place.press('End');
  await replay.getByText('Tool refund_order').click();
  await replay.getByText('"<b>1051</b>"').waitFor();

  const [file] = await Promise.all([
    page.waitForEvent('download'),
    page.getByRole('button', { name: 'Export as text' }).click(),
  ]);
  expect(await readFile(await file.path(), 'utf8')).toMatch(/That is dreadful/);
  const audit = await floor.database.sql`
    select actor_id from audit_events
    where action = 'archive.exported' and actor_id = ${supervisor.id} and subject_id = ${exploded}`;
  expect(audit).toHaveLength(1);
  expectNoComplaints(page);
}, 120_000);

test('a search among very many comes in pieces, says how far it has looked, and can be stopped', async () => {
  const { database } = floor;
  const { id: businessId } = await database.createBusiness();
  const owner = await database.createUser({ businessId, role: 'admin' });
  const { id: agentId } = await database.createAgent({ businessId });
  await seedHistory(database.sql, {
    businessId,
    agentIds: [agentId],
    interactions: 3_000,
    wordsEach: 4,
    days: 60,
  });
  const leaveNeedle = (place: number) => database.sql`
    update floorwalker.archive_search set words = words || to_tsvector('english', 'needle') where interaction_id = (
      select interaction_id from interaction_archives where business_id = ${businessId}
      order by happened_at offset ${place} limit 1)`;
  await leaveNeedle(0);
  const page = await open(owner, '/history');
  const results = page.getByRole('grid', { name: 'Conversations that have ended' });
  await page.getByRole('button', { name: 'Show more' }).waitFor();
  // Three pieces arrive, and the fourth when it may.
  const held = Promise.withResolvers<void>();
  let asked = 0;
  await page.route('**/v1/archives?*', async (route) => {
    asked += 1;
    if (asked === 4) await held.promise;
    await route.continue();
  });
  await page.getByLabel('Words').fill('needle');
  await page.getByRole('button', { name: 'Search' }).click();
  await page.getByText(/^Looking further back than /).waitFor();
  await results.getByText('Nothing found yet').waitFor();
  await expect.poll(() => asked).toBe(4);
  await expectAccessible(page);
  await page.getByRole('button', { name: 'Stop looking' }).click();
  held.resolve();
  await page.getByText(/^Looked back to /).waitFor();
  expect(asked).toBe(4);
  await page.getByRole('button', { name: 'Look further back' }).click();
  await results.getByText('The customer asked where').waitFor();
  await only(results, 1);
  expect(asked).toBeGreaterThan(10);
  await page.getByText(/^Look/).first().waitFor({ state: 'detached' });
  // Who searches again, also for the same, finds what has ended since.
  await leaveNeedle(1);
  await page.getByRole('button', { name: 'Search' }).click();
  await only(results, 2);
  await page.getByText(/^Look/).first().waitFor({ state: 'detached' });
  // A page that came in pieces is full when as many were found as one page has. Each business has other words.
  const [frequent] = await database.sql<{ word: string }[]>`
    select word from (select 'w' || generate_series(5, 40) as word) words
    where (select count(*) from floorwalker.archive_search s join interaction_archives a using (interaction_id)
      where a.business_id = ${businessId} and s.words @@ word::tsquery) between 80 and 110
    limit 1`;
  await page.getByLabel('Words').fill(frequent?.word ?? '');
  await page.getByRole('button', { name: 'Search' }).click();
  await page.getByRole('button', { name: 'Look further back' }).waitFor();
  const found = (await results.getByRole('row').count()) - 1;
  expect(found).toBeGreaterThanOrEqual(50);
  expect(found).toBeLessThan(75);
  await page.getByRole('button', { name: 'Look further back' }).click();
  await expect.poll(async () => (await results.getByRole('row').count()) - 1).toBeGreaterThan(found);
  expectNoComplaints(page);
}, 120_000);

test('the figures of people and agents are those of the conversations that ended', async () => {
  await archived({
    words: ['Hello.', 'Hello.'],
    summary: 'Counted.',
    phone: '+12025550123',
    issue: 'refund_request',
  });
  const page = await open(supervisor, '/performance');
  await page.getByRole('button', { name: 'This month' }).click();
  const [ended] = await floor.database.sql<{ count: number }[]>`
    select count(*)::int as count from interactions where agent_id = ${agent.id} and status = 'completed'`;
  const figures = page
    .getByRole('grid', { name: 'Agents' })
    .getByRole('row')
    .filter({ hasText: 'Paper Pal' });
  await figures.getByText(String(ended?.count), { exact: true }).first().waitFor();
  const place = page
    .getByRole('grid', { name: 'Leaderboard' })
    .getByRole('row')
    .filter({ hasText: 'Sam Supervisor' });
  await place.getByText('you').waitFor();
  await page.getByRole('heading', { name: 'First contact and CSAT over time' }).waitFor();
  expectNoComplaints(page);
}, 90_000);

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
      await page.goto(`${floor.api.url}/console${path}`);
      await page.getByText(words).or(page.getByLabel(words)).first().waitFor();
      await expectAccessible(page);
      expect(await page.evaluate('document.documentElement.scrollWidth <= innerWidth'), path).toBe(true);
    }
    expectNoComplaints(page);
  },
  90_000,
);
