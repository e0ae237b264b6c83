import type { Page } from 'playwright-core';
import { afterAll, afterEach, beforeAll, expect, test, vi } from 'vitest';
import {
  expectAccessible,
  expectNoComplaints,
  openBrowser,
  signIn,
  type TestBrowser,
} from '../support/browser.ts';
import type { Agent, Person } from '../support/fixtures.ts';
import { type ScriptedModel, setupModel, wantsJson } from '../support/model.ts';
import { setupRecorder, type ToolRecorder } from '../support/recorder.ts';
import { refundTool, shopModel } from '../support/shop-model.ts';
import { type Stack, setupStack } from '../support/stack.ts';

// A browser, a worker and two pages on a busy machine.
vi.setConfig({ testTimeout: 120_000 });

let model: ScriptedModel;
let recorder: ToolRecorder;
let stack: Stack;
let agent: Agent;
let admin: Person;
let browser: TestBrowser;

beforeAll(async () => {
  model = await setupModel(shopModel);
  model.background(wantsJson, () => ({ text: '{}' }));
  recorder = await setupRecorder();
  stack = await setupStack({
    openaiBaseUrl: model.openaiBaseUrl,
    env: { LIMIT_ADDRESS_OPEN: '50', LIMIT_ADDRESS_PER_MINUTE: '100' },
    figures: { metricsMs: 500 },
  });
  agent = await stack.createAgent({ name: 'Ava', tools: [refundTool(recorder.url)] });
  admin = await stack.database.createUser({
    businessId: stack.business.id,
    role: 'admin',
    name: 'Ada Admin',
  });
  browser = await openBrowser();
}, 120_000);

afterAll(async () => {
  await browser?.close();
  await stack?.stop();
  await recorder?.stop();
  await model?.stop();
}, 60_000);

const undo: (() => Promise<unknown>)[] = [];
afterEach(async () => {
  for (const step of undo.splice(0).reverse()) await step();
});

async function openConsole(person: Person, path = '/', options: Parameters<TestBrowser['newPage']>[0] = {}) {
  const page = await browser.newPage(options);
  undo.push(() => page.close());
  await signIn(page, stack.apiUrl, person, path);
  await page.getByText('Live', { exact: true }).waitFor();
  return page;
}

async function join() {
  const joined = await stack.join(agent);
  undo.push(() => joined.customer.leave());
  await joined.customer.waitForText(/AI assistant/);
  return { ...joined, path: `/interactions/${joined.created.interaction_id}` };
}

/** Cards are found by whom they are about; every test has one of its own. */
function card(page: Page, interactionId: string) {
  return page.locator('.card').filter({ has: page.locator(`a[href$="${interactionId}"]`) });
}

/** An order that no test has asked about, nor an earlier try of the same test. */
let orders = 800;
function nextOrder(): string {
  orders += 1;
  return String(orders);
}

const callsFor = (order: string) => recorder.calls.filter(({ body }) => body.order === order);

test('a gated tool is decided on the floor while the customer waits in their own page', async () => {
  const order = nextOrder();
  const customer = await browser.newPage();
  undo.push(() => customer.close());
  await customer.goto(`${stack.apiUrl}/try`);
  await customer.getByRole('button', { name: 'Chat with Ava' }).click();
  await customer.getByLabel('Your message').fill(`please refund order ${order}`);
  await customer.keyboard.press('Enter');
  const page = await openConsole(stack.supervisor);
  const request = page
    .getByRole('group', { name: 'Waits for your decision: refund_order' })
    .filter({ hasText: `"order": "${order}"` });
  await request.waitFor();
  await customer
    .getByText(/approval/)
    .first()
    .waitFor();
  expect(callsFor(order)).toHaveLength(0);
  await expect.poll(() => page.title()).toMatch(/^\(\d+\) Floor/);
  await request.getByRole('button', { name: 'Allow' }).click();
  await customer
    .getByText(/Result: .*ref-/)
    .first()
    .waitFor();
  await request.waitFor({ state: 'detached' });
  expect(callsFor(order)).toHaveLength(1);
  expectNoComplaints(page);
  expectNoComplaints(customer);
});

test('with the keyboard alone: arguments are edited, checked by the API, and run as edited', async () => {
  const order = nextOrder();
  const { customer, path } = await join();
  const page = await openConsole(stack.supervisor, path);
  await customer.send(`please refund order ${order}`);
  const request = page.getByRole('group', { name: 'Waits for your decision: refund_order' });
  await request.waitFor();
  const press = async () => {
    await page.keyboard.press('d');
    return page.evaluate<string>('document.activeElement.textContent');
  };
  // Once more where the page did not listen yet.
  await expect.poll(press, { timeout: 20_000, interval: 500 }).toMatch(/^Allow/);
  await page.keyboard.press('Tab');
  await page.keyboard.press('Tab');
  await page.keyboard.press('Enter');
  const edit = request.getByLabel('Run this instead (JSON)');
  await edit.fill('{"order": ');
  await request.getByText(/not valid JSON/).waitFor();
  expect(await request.getByRole('button', { name: 'Allow as edited' }).isDisabled()).toBe(true);
  await edit.fill(`{"order": "${order}", "amount": 5000}`);
  await page.keyboard.press('Tab');
  await page.keyboard.type('only half of it');
  await page.keyboard.press('Tab');
  await page.keyboard.press('Tab');
  await page.keyboard.press('Enter');
  await request.getByText(/must be <= 100/).waitFor();
  await edit.fill(`{"order": "${order}", "amount": 50}`);
  await request.getByRole('button', { name: 'Allow as edited' }).press('Enter');
  await customer.waitForText(/Result: [\s\S]*ref-/);
  expect(callsFor(order).map(({ body }) => body)).toEqual([{ order, amount: 50 }]);
  const [decided] = await stack.database.sql`
    select p.note, p.edited_arguments from tool_permissions p
    join tool_calls c on c.interaction_id = p.interaction_id and c.call_id = p.call_id
    where c.arguments->>'order' = ${order}`;
  expect(decided).toEqual({ note: 'only half of it', edited_arguments: { order, amount: 50 } });
  await request.waitFor({ state: 'detached' });
  await expect
    .poll(() => page.evaluate('document.activeElement.getAttribute("aria-label")'))
    .toBe('What was said and done');
});

test('what was allowed for the whole conversation runs without asking, until it is taken back', async () => {
  const order = nextOrder();
  const { customer, path } = await join();
  const page = await openConsole(stack.supervisor, path);
  const request = page.getByRole('group', { name: 'Waits for your decision: refund_order' });
  await customer.send(`please refund order ${order}`);
  await request.getByText('Allow this very call again').click();
  await request.getByRole('button', { name: 'Allow' }).click();
  const standing = page.getByRole('group', { name: 'Allowed without asking: refund_order' });
  await standing.getByText(`"order": "${order}"`).waitFor();
  await expectAccessible(page);
  await expect.poll(() => callsFor(order).length, { timeout: 30_000 }).toBe(1);
  await customer.waitForText(/Result: /);
  await customer.send(`once more: refund order ${order}`);
  await expect.poll(() => callsFor(order).length, { timeout: 30_000 }).toBe(2);
  await standing.getByRole('button', { name: 'Ask again from now on' }).click();
  await standing.waitFor({ state: 'detached' });
  await customer.waitFor(() => customer.agentTexts.filter((text) => /Result: /.test(text)).length === 2);
  await customer.send(`and again: refund order ${order}`);
  await request.getByText(`"order": "${order}"`).waitFor();
  expect(callsFor(order)).toHaveLength(2);
  expectNoComplaints(page);
});

test('what is muted stays muted after a reload, and shortcuts are listed on ?', async () => {
  const { customer } = await join();
  await customer.send('please refund order 707');
  await customer.waitForText(/approval/);
  const page = await openConsole(stack.supervisor);
  await expect.poll(() => page.title()).toMatch(/^\(/);
  await page.getByRole('button', { name: 'Alerts' }).click();
  await page.getByLabel('Waiting for a decision: Tab').uncheck();
  await expect.poll(() => page.title()).toMatch(/^Floor/);
  await page.reload();
  await page.locator('.card').first().waitFor();
  expect(await page.title()).toMatch(/^Floor/);
  await page.getByRole('button', { name: 'Alerts, some are muted' }).waitFor();
  await page.keyboard.press('?');
  const help = page.getByRole('dialog', { name: 'Shortcuts' });
  await help.getByText('Go to Floor').waitFor();
  await expectAccessible(page);
  await page.keyboard.press('Escape');
  await help.waitFor({ state: 'detached' });
});

test('a reload in the middle shows the same again, and what is denied then reaches the customer', async () => {
  const order = nextOrder();
  const { customer, path } = await join();
  const page = await openConsole(stack.supervisor, path);
  await customer.send(`please refund order ${order}`);
  await page.getByRole('group', { name: 'Waits for your decision: refund_order' }).waitFor();
  await page.reload();
  const request = page.getByRole('group', { name: 'Waits for your decision: refund_order' });
  await request.getByText(`"order": "${order}"`).waitFor();
  const transcript = page.getByRole('region', { name: 'Transcript' });
  await transcript.getByText(`please refund order ${order}`).first().waitFor();
  await transcript.getByText('refund_order').waitFor();
  await request.getByLabel('Note').fill('older than 30 days');
  await request.getByRole('button', { name: 'Deny' }).click();
  await customer.waitForText(/older than 30 days/);
  await transcript
    .getByText('refused by a supervisor')
    .or(transcript.getByText('refused', { exact: true }))
    .waitFor();
  expect(callsFor(order)).toHaveLength(0);
});

test('supervisor and admin decide at the same moment: one wins, the other is told who', async () => {
  const order = nextOrder();
  const { customer, created } = await join();
  const pages = await Promise.all([openConsole(stack.supervisor), openConsole(admin)]);
  await customer.send(`please refund order ${order}`);
  const allow = pages.map((page) =>
    card(page, created.interaction_id).getByRole('button', { name: 'Allow' }),
  );
  await Promise.all(allow.map((button) => button.waitFor()));
  // The answers of both are held until both have been asked for: neither page can know of the other's in time.
  await Promise.all(pages.map((page) => page.route('**/v1/events*', (route) => route.abort())));
  await Promise.all(allow.map((button) => button.click()));
  const told = pages.map((page) => page.getByText(/Already decided by (Sam Supervisor|Ada Admin): allowed/));
  await Promise.race(told.map((notice) => notice.waitFor()));
  await customer.waitForText(/Result: .*ref-/);
  expect(callsFor(order)).toHaveLength(1);
  const shown = await Promise.all(told.map((notice) => notice.count()));
  expect(shown.toSorted()).toEqual([0, 1]);
});

test('a call of which nobody knows the outcome is a question, and the answer is kept', async () => {
  const { created, path } = await join();
  const { sql } = stack.database;
  const id = created.interaction_id;
  await sql`
    insert into tool_calls (interaction_id, call_id, tool_name, arguments, arguments_hash, state, idempotency_key,
      generation, started_at, finished_at)
    values (${id}, 'lost', 'refund_order', ${sql.json({ order: '708' })}, 'h', 'unknown', ${`lost-${id}`}, 1, now(), now())`;
  const page = await openConsole(stack.supervisor, path);
  const question = page.getByRole('group', { name: 'Outcome unknown: refund_order' });
  await question.getByText('"order": "708"').waitFor();
  await expectAccessible(page);
  await question.getByLabel('Note').fill('seen in the ledger');
  await question.getByRole('button', { name: 'It happened' }).click();
  await question.waitFor({ state: 'detached' });
  const [row] = await sql`select resolution, resolution_note from tool_calls where interaction_id = ${id}`;
  expect(row).toEqual({ resolution: 'happened', resolution_note: 'seen in the ledger' });
});

test('a message full of HTML is shown as the text that it is', async () => {
  const { customer, path } = await join();
  const page = await openConsole(stack.supervisor, path);
  const attack = `<img src=x onerror="document.title='gone'"><script>document.title='gone'</script><b>bold</b> &amp; [x](javascript:alert(1))`;
  await customer.send(attack);
  const transcript = page.getByRole('region', { name: 'Transcript' });
  await transcript.getByText(`Heard: ${attack}`).first().waitFor();
  expect(await transcript.locator('img, script, b, a').count()).toBe(0);
  expect(await page.title()).not.toContain('gone');
  await page.goto(`${stack.apiUrl}/console`);
  await card(page, path.split('/')[2] ?? '').waitFor();
  expect(await page.locator('.card img, .card script, .card b').count()).toBe(0);
  expectNoComplaints(page);
});

test('another business’s supervisor sees nothing, on the floor and by address', async () => {
  const other = await stack.database.createBusiness({ name: 'Elsewhere' });
  const stranger = await stack.database.createUser({ businessId: other.id, name: 'Stan Stranger' });
  const { customer, path } = await join();
  const page = await openConsole(stranger);
  await customer.send('hello');
  await customer.waitForText('Heard: hello');
  await page.getByText('All quiet').waitFor();
  expect(await page.locator('.card').count()).toBe(0);
  await page.goto(`${stack.apiUrl}/console${path}`);
  await page.getByText('There is no such conversation').waitFor();
  expect(await page.getByText('Heard: hello').count()).toBe(0);
});

test('without a network the page says so, comes back by itself, and has missed nothing', async () => {
  const { customer, path } = await join();
  const page = await openConsole(stack.supervisor, path);
  await customer.send('before');
  const transcript = page.getByRole('region', { name: 'Transcript' });
  await transcript.getByText('Heard: before').first().waitFor();
  await page.context().setOffline(true);
  await page.getByText('No network. What you see may be out of date.').waitFor();
  await customer.send('meanwhile');
  await customer.waitForText('Heard: meanwhile');
  await customer.send('please refund order 705');
  await customer.waitForText(/approval/);
  await page.context().setOffline(false);
  await page.getByText('Live', { exact: true }).waitFor();
  await transcript.getByText('Heard: meanwhile').first().waitFor();
  await page.getByRole('group', { name: 'Waits for your decision: refund_order' }).waitFor();
  const said = await transcript.locator('.said[data-role="customer"] .said-words').allTextContents();
  expect(said).toEqual(['before', 'meanwhile', 'please refund order 705']);
});

test.each(['light', 'dark'] as const)(
  'floor and interaction are accessible in %s, on a phone too',
  async (theme) => {
    const { customer, path } = await join();
    await customer.send('please refund order 706');
    const page = await openConsole(stack.supervisor, '/', { theme });
    await page.getByRole('group', { name: 'Waits for your decision: refund_order' }).first().waitFor();
    await expectAccessible(page);
    await page.setViewportSize({ width: 390, height: 844 });
    await expectAccessible(page);
    await page.goto(`${stack.apiUrl}/console${path}`);
    await page.getByRole('group', { name: 'Waits for your decision: refund_order' }).waitFor();
    await page.getByRole('region', { name: 'Transcript' }).getByText('refund order 706').first().waitFor();
    await expectAccessible(page);
    await page.setViewportSize({ width: 1_280, height: 860 });
    await expectAccessible(page);
    // Nothing hangs over the edge of a phone.
    await page.setViewportSize({ width: 360, height: 780 });
    expect(await page.evaluate('document.documentElement.scrollWidth')).toBeLessThanOrEqual(360);
  },
);
