import { randomInt } from 'node:crypto';
import type { Page } from 'playwright-core';
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest';
import {
  expectAccessible,
  expectNoComplaints,
  openBrowser,
  type PageOptions,
  type TestBrowser,
} from '../support/browser.ts';
import type { Agent } from '../support/fixtures.ts';
import { type ScriptedModel, setupModel, wantsJson } from '../support/model.ts';
import { type Stack, setupStack, waitUntil } from '../support/stack.ts';

const STORY = 'Once upon a time there was a ship that never came home, and nobody knew why it had left.';

let model: ScriptedModel;
let stack: Stack;
let browser: TestBrowser;
let agent: Agent;

beforeAll(async () => {
  model = await setupModel((request) => {
    if (/story/.test(request.lastUser)) return { text: STORY, tokenMs: 150 };
    return `You said: ${request.lastUser}`;
  });
  model.background(wantsJson, () => ({ text: '{}' }));
  [stack, browser] = await Promise.all([
    setupStack({
      openaiBaseUrl: model.openaiBaseUrl,
      env: { LIMIT_ADDRESS_OPEN: '50', LIMIT_ADDRESS_PER_MINUTE: '100' },
    }),
    openBrowser(),
  ]);
  agent = await stack.createAgent({ name: 'Paper Pal', maxConcurrentInteractions: 10 });
}, 90_000);

afterAll(async () => {
  await browser?.close();
  await stack?.stop();
  await model?.stop();
}, 60_000);

const pages: Page[] = [];
afterEach(async (context) => {
  if (context.task.result?.state === 'fail') console.error(stack.log.slice(-40).join('\n'));
  for (const page of pages.splice(0)) await page.close();
});

async function openTry(options?: PageOptions): Promise<Page> {
  const page = await browser.newPage(options);
  pages.push(page);
  await page.goto(`${stack.apiUrl}/try`);
  await page.getByRole('heading', { name: 'Whom would you like to talk to?' }).waitFor();
  return page;
}

async function chat(options?: PageOptions): Promise<Page> {
  const page = await openTry(options);
  await page.getByRole('button', { name: `Chat with ${agent.name}` }).click();
  await lines(page, 'agent').filter({ hasText: 'AI assistant' }).waitFor();
  return page;
}

const lines = (page: Page, who: string) => page.locator(`.line.${who} .words`);

async function write(page: Page, text: string): Promise<void> {
  await page.getByRole('textbox', { name: 'Your message' }).fill(text);
  await page.keyboard.press('Enter');
}

async function newestInteraction(): Promise<{ id: string; status: string; rating: number | null }> {
  const [row] = await stack.database.sql<{ id: string; status: string; rating: number | null }[]>`
    select id, status, rating from interactions where agent_id = ${agent.id} order by created_at desc limit 1`;
  if (!row) throw new Error('there is no interaction');
  return row;
}

test('a chat from choosing an agent to the rating: disclosed, stored, streamed, shown as text', async () => {
  const page = await openTry();
  await page.getByText('An AI assistant answers you.').waitFor();
  await page.getByRole('button', { name: `Chat with ${agent.name}` }).click();
  await lines(page, 'agent').filter({ hasText: 'AI assistant' }).waitFor();
  await page.getByText('Paper Pal (AI assistant)').waitFor();

  const hostile = '<img src=x onerror="document.title=1"><b>bold</b>';
  await write(page, hostile);
  await lines(page, 'customer').filter({ hasText: hostile }).waitFor();
  await lines(page, 'agent')
    .filter({ hasText: `You said: ${hostile}` })
    .waitFor();
  expect(await page.locator('.lines img, .lines b').count()).toBe(0);
  // Stored by an agent, and not before: then the note at the message goes.
  await page.locator('.line.customer[data-state="done"]').waitFor();
  const { id } = await newestInteraction();
  const stored = await stack.database.sql`
    select content from interaction_messages where interaction_id = ${id} and role = 'customer'`;
  expect(stored.map(({ content }) => content)).toEqual([hostile]);

  await write(page, 'Tell me a story, please.');
  await page.locator('.line.agent[data-state="speaking"]').waitFor();
  await lines(page, 'agent').filter({ hasText: STORY }).waitFor();

  await page.getByRole('button', { name: 'End chat' }).click();
  await page.getByText('The conversation has ended.').waitFor();
  await page.getByRole('radio', { name: /^4/ }).check();
  await page.getByRole('textbox', { name: /Anything to add/ }).fill('Quick and kind.');
  await page.getByRole('button', { name: 'Send rating' }).click();
  await page.getByText('Thank you for telling us.').waitFor();
  expect((await newestInteraction()).rating).toBe(4);
  // Nobody waits for a customer who has ended it.
  const [archived] = await waitUntil(async () => {
    const found = await stack.database.sql`
      select i.end_reason, a.summary_source from interactions i join interaction_archives a on a.interaction_id = i.id
      where i.id = ${id}`;
    return found.length > 0 ? found : undefined;
  }, 25_000);
  expect(archived?.end_reason).toBe('customer_ended');
  await page.getByRole('button', { name: 'Start a new conversation' }).click();
  await page.getByRole('heading', { name: 'Whom would you like to talk to?' }).waitFor();
  expectNoComplaints(page);
}, 90_000);

test('a reload in mid-sentence loses nothing: not the words before, not those said meanwhile', async () => {
  const page = await chat();
  await write(page, 'Tell me a story, please.');
  await page.locator('.line.agent[data-state="speaking"]').filter({ hasText: 'Once upon' }).waitFor();
  await page.reload();
  await lines(page, 'agent').filter({ hasText: STORY }).waitFor();
  const now = `And now, ${randomInt(100_000, 999_999)}?`;
  await write(page, now);
  await lines(page, 'agent')
    .filter({ hasText: `You said: ${now}` })
    .waitFor();
  // In the order in which it was said, and each line once.
  const said = await page.locator('.line .words').allTextContents();
  expect(said.slice(1)).toEqual(['Tell me a story, please.', STORY, now, `You said: ${now}`]);
  const rows = await waitUntil(async () => {
    const found = await stack.database.sql`
      select 1 from interactions where agent_id = ${agent.id} and status = 'active' and
        exists (select 1 from interaction_messages m where m.interaction_id = interactions.id and m.content = ${now})`;
    return found.length > 0 ? found : undefined;
  }, 25_000);
  expect(rows).toHaveLength(1);
  expectNoComplaints(page);
}, 90_000);

test('what is written while no agent is there is kept over a reload, and said once', async () => {
  const other = await stack.createAgent({ name: 'Busy Bee', maxConcurrentInteractions: 1 });
  const first = await stack.join(other);
  const page = await openTry();
  await page.getByRole('button', { name: `Chat with ${other.name}` }).click();
  await page.getByText(/You can already write/).waitFor();
  await write(page, 'I am patient.');
  await page.getByText('Sending…').waitFor();
  await page.reload();
  await page.getByText('Sending…').waitFor();
  await first.customer.leave();
  await stack.request(`/v1/interactions/${first.created.interaction_id}/end`, {
    body: {},
    as: stack.supervisor,
  });
  await lines(page, 'agent').filter({ hasText: 'You said: I am patient.' }).waitFor({ timeout: 40_000 });
  await page.locator('.line.customer[data-state="done"]').waitFor();
  expect(await lines(page, 'customer').allTextContents()).toEqual(['I am patient.']);
  expect(await lines(page, 'agent').allTextContents()).toEqual([
    expect.stringContaining('AI assistant'),
    'You said: I am patient.',
  ]);
}, 90_000);

test('who writes before the agent is there reads who answers, and then the answer', async () => {
  const page = await openTry();
  await page.getByRole('button', { name: `Chat with ${agent.name}` }).click();
  const early = `Anybody, ${randomInt(100_000, 999_999)}?`;
  await write(page, early);
  const answer = lines(page, 'agent').filter({ hasText: `You said: ${early}` });
  await answer.waitFor({ timeout: 40_000 });
  await page.locator('.line.customer[data-state="done"]').waitFor();
  await expect
    .poll(() => lines(page, 'agent').allTextContents(), { timeout: 20_000 })
    .toEqual([expect.stringContaining('AI assistant'), `You said: ${early}`]);
  expectNoComplaints(page);
}, 90_000);

test('an end from the other side is noticed, and what goes wrong is said in words with what to do', async () => {
  const page = await chat();
  const { id } = await newestInteraction();
  await stack.request(`/v1/interactions/${id}/end`, { body: {}, as: stack.supervisor });
  await page.getByText('The conversation has ended.').waitFor({ timeout: 30_000 });
  await waitUntil(async () => (await newestInteraction()).status === 'completed');

  await page.getByRole('button', { name: 'Start a new conversation' }).click();
  await page.route('**/v1/interactions', (route) =>
    route.fulfill({
      status: 429,
      headers: { 'retry-after': '40' },
      contentType: 'application/problem+json',
      body: JSON.stringify({ code: 'rate_limited' }),
    }),
  );
  await page.getByRole('button', { name: `Chat with ${agent.name}` }).click();
  await page.getByText('Please try again in 40 seconds.').waitFor();
  await expectAccessible(page);
  await page.unroute('**/v1/interactions');
  await page.getByRole('button', { name: 'Try again' }).click();
  await lines(page, 'agent').filter({ hasText: 'AI assistant' }).waitFor();
}, 90_000);

test.each([
  { theme: 'light', width: 1_280 },
  { theme: 'dark', width: 360 },
] as const)(
  'is accessible and fits in $theme at $width pixels',
  async (options) => {
    const page = await openTry(options);
    await expectAccessible(page);
    await page.getByRole('button', { name: `Chat with ${agent.name}` }).click();
    await lines(page, 'agent').filter({ hasText: 'AI assistant' }).waitFor();
    await write(page, 'a'.repeat(300));
    await lines(page, 'agent').filter({ hasText: 'You said: aaa' }).waitFor();
    await expectAccessible(page);
    expect(await page.evaluate('document.documentElement.scrollWidth <= innerWidth')).toBe(true);
    await page.getByRole('button', { name: 'End chat' }).click();
    await page.getByRole('button', { name: 'Send rating' }).waitFor();
    await expectAccessible(page);
    expectNoComplaints(page);
  },
  60_000,
);
