import { randomInt } from 'node:crypto';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { FrameLocator, Page } from 'playwright-core';
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest';
import { expectAccessible, expectNoComplaints, openBrowser, type TestBrowser } from '../support/browser.ts';
import type { Agent } from '../support/fixtures.ts';
import { type ScriptedModel, setupModel, wantsJson } from '../support/model.ts';
import { type Stack, setupStack } from '../support/stack.ts';

let model: ScriptedModel;
let stack: Stack;
let browser: TestBrowser;
let agent: Agent;
let shop: Server;
let stranger: Server;
/** What is asked while the dialog is open is answered when it is closed; by its words. */
const closed = new Map<string, Promise<void>>();

/** A shop on another site (localhost is none of 127.0.0.1's), under the policy that docs/console.md recommends. */
async function startShop(): Promise<Server> {
  const server = createServer((request, response) => {
    response.writeHead(200, {
      'content-type': 'text/html',
      'content-security-policy': `default-src 'none'; script-src ${stack.apiUrl}; frame-src ${stack.apiUrl}`,
    });
    response.end(`<!doctype html><html lang="en"><head><title>Shop</title></head><body><main>
      <h1>Shop ${request.url === '/cart' ? 'cart' : 'start'}</h1><a href="/cart">To the cart</a></main>
      <script src="${stack.apiUrl}/widget.js" data-agent="${agent.id}" data-label="Ask us" async></script>
      </body></html>`);
  });
  await new Promise<void>((resolve) => server.listen(0, 'localhost', resolve));
  return server;
}

const originOf = (server: Server) => `http://localhost:${(server.address() as AddressInfo).port}`;

beforeAll(async () => {
  model = await setupModel(async (request) => {
    await closed.get(request.lastUser);
    return `You said: ${request.lastUser}`;
  });
  model.background(wantsJson, () => ({ text: '{}' }));
  [stack, browser] = await Promise.all([
    // Pages of the shop take their time on a busy machine.
    setupStack({
      openaiBaseUrl: model.openaiBaseUrl,
      figures: { rejoinChatMs: 60_000 },
      // Each try of a test leaves a chat open for that long.
      env: { LIMIT_ADDRESS_OPEN: '50', LIMIT_ADDRESS_PER_MINUTE: '100' },
    }),
    openBrowser(),
  ]);
  agent = await stack.createAgent({ name: 'Paper Pal', maxConcurrentInteractions: 10 });
  [shop, stranger] = await Promise.all([startShop(), startShop()]);
  await stack.database.sql`
    update businesses set allowed_origins = ${[originOf(shop)]} where id = ${stack.business.id}`;
}, 90_000);

afterAll(async () => {
  await browser?.close();
  shop?.close();
  stranger?.close();
  await stack?.stop();
  await model?.stop();
}, 60_000);

const pages: Page[] = [];
afterEach(async () => {
  for (const page of pages.splice(0)) await page.close();
});

async function visit(server: Server): Promise<{ page: Page; frame: FrameLocator }> {
  const page = await browser.newPage();
  pages.push(page);
  await page.goto(originOf(server));
  return { page, frame: page.frameLocator('iframe') };
}

test('a customer of the shop chats through the real stack', async () => {
  const { page, frame } = await visit(shop);
  const button = page.getByRole('button', { name: 'Ask us' });
  await button.waitFor();
  // Nothing is loaded before somebody asks for it.
  expect(page.frames()).toHaveLength(1);
  await button.click();
  await frame.getByText('An AI assistant of Harbour Goods answers you.').waitFor();
  await frame.getByRole('button', { name: 'Start the chat' }).click();
  await frame.locator('.line.agent').filter({ hasText: 'AI assistant' }).waitFor();
  const message = frame.getByRole('textbox', { name: 'Your message' });
  await message.fill('Do you have ink?');
  await message.press('Enter');
  await frame.getByText('You said: Do you have ink?').first().waitFor();

  // The answer may be there before the message is stored.
  const stored = async () => {
    const rows = await stack.database.sql`
      select content from interaction_messages where role = 'customer' and interaction_id =
        (select id from interactions where agent_id = ${agent.id} order by queued_at desc limit 1) order by seq`;
    return rows.map(({ content }) => content);
  };
  await expect.poll(stored).toEqual(['Do you have ink?']);
  await expectAccessible(page);
  expectNoComplaints(page);
}, 90_000);

test('a customer walks on to other pages of the shop, and the chat goes with them', async () => {
  // A context of Playwright is a private window: the frame has no storage, only its partitioned cookie.
  const { page, frame } = await visit(shop);
  await page.getByRole('button', { name: 'Ask us' }).click();
  await frame.getByRole('button', { name: 'Start the chat' }).click();
  // In another try it is another conversation that has said this.
  const paper = `Do you have paper of ${randomInt(100_000, 999_999)} sheets?`;
  const message = frame.getByRole('textbox', { name: 'Your message' });
  const said = (words: string) => frame.locator('.line').filter({ hasText: words }).first().waitFor();
  await message.fill(paper);
  await message.press('Enter');
  await said(`You said: ${paper}`);

  await page.getByRole('link', { name: 'To the cart' }).click();
  await page.getByRole('heading', { name: 'Shop cart' }).waitFor();
  await said(`You said: ${paper}`);
  // It comes back by itself, and leaves the keyboard where it was.
  expect(await page.evaluate('document.activeElement === document.body')).toBe(true);
  await message.fill('And glue?');
  await message.press('Enter');
  await said('You said: And glue?');
  // Rows are on their way while the answer is.
  await expect
    .poll(
      async () => {
        const { count } = await stack.database.sql`
        select 1 from interaction_messages where content = 'And glue?' and interaction_id in
          (select interaction_id from interaction_messages where content = ${paper})`;
        return count;
      },
      { timeout: 20_000 },
    )
    .toBe(1);

  // Only on this shop: elsewhere the same frame knows of nothing, and the shop itself never does.
  const cookies = await page.context().cookies();
  expect(cookies.map(({ path, partitionKey }) => [path, partitionKey])).toEqual([
    [`/widget/${agent.id}`, 'http://localhost'],
  ]);
  expect(await page.evaluate('document.cookie')).toBe('');
  await frame.getByRole('button', { name: 'End chat' }).click();
  await frame.getByText('The conversation has ended.').waitFor();
  await expect.poll(async () => (await page.context().cookies()).length, { timeout: 20_000 }).toBe(0);
  await page.reload();
  await page.getByRole('button', { name: 'Ask us', exact: true }).waitFor();
  expect(page.frames()).toHaveLength(1);
  expectNoComplaints(page);
}, 120_000);

test('the keyboard opens it, is in it, and comes back to the button; what came meanwhile is counted', async () => {
  const { page, frame } = await visit(shop);
  const button = page.getByRole('button', { name: 'Ask us' });
  await button.focus();
  await page.keyboard.press('Enter');
  const dialog = page.getByRole('dialog', { name: 'Ask us' });
  await dialog.waitFor();
  const start = frame.getByRole('button', { name: 'Start the chat' });
  await start.waitFor();
  await expect.poll(() => start.evaluate((node) => node === node.ownerDocument.activeElement)).toBe(true);
  await page.keyboard.press('Escape');
  await dialog.waitFor({ state: 'hidden' });
  await button.waitFor();
  expect(await button.getAttribute('aria-expanded')).toBe('false');
  await expect.poll(() => button.evaluate((node) => node.matches(':focus'))).toBe(true);

  await page.keyboard.press('Enter');
  await start.click();
  const message = frame.getByRole('textbox', { name: 'Your message' });
  const words = `Anybody there, ${randomInt(100_000, 999_999)}?`;
  const isClosed = Promise.withResolvers<void>();
  closed.set(words, isClosed.promise);
  await message.fill(words);
  await message.press('Enter');
  await message.press('Escape');
  await dialog.waitFor({ state: 'hidden' });
  isClosed.resolve();
  await page.getByRole('button', { name: /Ask us \(\d new\)/ }).click();
  await frame
    .locator('.line.agent')
    .filter({ hasText: `You said: ${words}` })
    .waitFor();
}, 60_000);

test('a page of an origin that the business does not allow gets no chat, and its visitors a word about it', async () => {
  const { page } = await visit(stranger);
  await page.getByRole('button', { name: 'Ask us' }).click();
  await page.getByText('Chat is not available on this page.').waitFor();
  for (const frame of page.frames()) expect(await frame.content()).not.toContain('Start the chat');
}, 60_000);
