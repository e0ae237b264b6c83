import type { Page } from 'playwright-core';
import { afterAll, afterEach, beforeAll, expect, test, vi } from 'vitest';
import type { Customer } from '../../src/embedded/rehearsal/caller/caller.ts';
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
import { setupRecorder, type ToolRecorder } from '../support/recorder.ts';
import { refundTool, shopModel } from '../support/shop-model.ts';
import { type Stack, setupStack } from '../support/stack.ts';

// A browser, a worker and two pages on a busy machine.
vi.setConfig({ testTimeout: 120_000 });
const SOON = { timeout: 30_000 };

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

async function openConsole(person: Person, path = '/', options: PageOptions = {}): Promise<Page> {
  const page = await browser.newPage(options);
  undo.push(() => page.close());
  await signIn(page, stack.apiUrl, person, path);
  await page.getByText('Live', { exact: true }).waitFor();
  return page;
}

async function join() {
  const joined = await stack.join(agent);
  const { interaction_id: id } = joined.created;
  undo.push(async () => {
    await joined.customer.leave();
    // Nobody's next page should enter the room of this test again.
    for (const as of [stack.supervisor, admin]) {
      await stack.request(`/v1/interactions/${id}/handback`, { body: {}, as });
    }
  });
  await joined.customer.waitForText(/AI assistant/);
  return { ...joined, path: `/interactions/${joined.created.interaction_id}` };
}

/** An order that no test has asked about, nor an earlier try of the same test. */
let orders = 800;
function nextOrder(): string {
  orders += 1;
  return String(orders);
}

/** Below every page: the rooms that a person is in. */
const dock = (page: Page) => page.locator('.docked').filter({ hasText: 'You have control' });

function fromHuman(customer: Customer, text: string) {
  const there = () => customer.texts.some((one) => one.role === 'supervisor' && one.text === text);
  return customer.waitFor(there, { what: `the human’s “${text}”` });
}

async function takeOver(page: Page): Promise<void> {
  await page.getByRole('button', { name: 'Take over' }).click();
  await entered(page);
}

/** Nothing can be sent before. */
async function entered(page: Page): Promise<void> {
  await dock(page).waitFor();
  await page.getByLabel('Write to the customer').waitFor();
  await page.getByText('Entering the room…').first().waitFor({ state: 'detached' });
}

/** Nothing when nothing has the focus: the body has every word of the page. */
const focused = (page: Page) =>
  page.evaluate<string>(`
    document.activeElement === document.body
      ? ''
      : [document.activeElement?.textContent, document.activeElement?.href].join(' ')
  `);

/** Tabs on until that has the focus, as a person would who sees where it is. */
async function tabTo(page: Page, what: RegExp): Promise<void> {
  for (let press = 0; press < 80; press += 1) {
    await page.keyboard.press('Tab');
    if (what.test(await focused(page))) return;
  }
  throw new Error(`the keyboard does not reach ${what}`);
}

/** A shortcut that brings the focus there; once more where the page did not listen yet. */
async function pressFor(page: Page, key: string, what: RegExp): Promise<void> {
  const press = async () => {
    await page.keyboard.press(key);
    return focused(page);
  };
  await expect.poll(press, { timeout: 20_000, interval: 500 }).toMatch(what);
}

async function write(page: Page, text: string): Promise<void> {
  await page.getByLabel('Write to the customer').fill(text);
  await page.keyboard.press('Enter');
}

test('taken over and handed back from the page: the customer reads the human, then the agent that knows it all', async () => {
  const { customer, path } = await join();
  const page = await openConsole(stack.supervisor, path);
  const transcript = page.getByRole('region', { name: 'Transcript' });
  await takeOver(page);
  const asked = model.turns.length;
  await write(page, 'This is Sam. I give you a voucher of 10.');
  await fromHuman(customer, 'This is Sam. I give you a voucher of 10.');
  await customer.send('wonderful, thank you');
  await transcript.getByText('wonderful, thank you').first().waitFor();
  await transcript.locator('.said[data-role="supervisor"]').getByText('voucher of 10').waitFor();
  expect(model.turns.length).toBe(asked);
  await expectAccessible(page);

  await page.keyboard.press('Escape');
  await page.getByRole('button', { name: 'Hand back' }).click();
  const dialog = page.getByRole('dialog', { name: 'Hand back to the agent' });
  await dialog.getByLabel(/What the agent should know/).fill('the voucher is number V77');
  await dialog.getByRole('button', { name: 'Hand back' }).click();
  await page.getByText('The agent leads the conversation.').waitFor();
  await customer.send('how do I use it');
  await customer.waitForText('Heard: how do I use it');
  const request = model.turns.at(-1);
  for (const known of ['voucher of 10', 'V77', 'wonderful']) expect(request?.text).toContain(known);
  expect(await dock(page).count()).toBe(0);
  expectNoComplaints(page);
});

test('whoever asks for a human gets one from the floor, with one press', async () => {
  const { customer, created } = await join();
  const page = await openConsole(stack.supervisor);
  await stack.database.sql`
    update interactions set supervisor_requested_at = now(), supervisor_request_reason = 'the manager'
    where id = ${created.interaction_id}`;
  const card = page.locator('.card').filter({ has: page.locator(`a[href$="${created.interaction_id}"]`) });
  await card.getByText('the manager').waitFor();
  await expectAccessible(page);
  await card.getByRole('button', { name: 'Take over' }).click();
  await entered(page);
  await write(page, 'Sam here, what happened?');
  await fromHuman(customer, 'Sam here, what happened?');
});

test('a reload in the middle of a takeover enters the room again', async () => {
  const { customer, path } = await join();
  const page = await openConsole(stack.supervisor, path);
  await takeOver(page);
  await write(page, 'one moment please');
  await fromHuman(customer, 'one moment please');
  await page.reload();
  await page.getByText('You have control. The agent listens and is silent.').waitFor();
  await entered(page);
  await write(page, 'here I am again');
  await fromHuman(customer, 'here I am again');
  const transcript = page.getByRole('region', { name: 'Transcript' });
  await transcript.getByText('one moment please').first().waitFor();
});

test('who comes second is told who has control; an admin may insist, and the first one is out', async () => {
  const { customer, path } = await join();
  const sam = await openConsole(stack.supervisor, path);
  const ada = await openConsole(admin, path);
  await takeOver(sam);
  await ada.getByText('Sam Supervisor has control.').waitFor();
  await ada.getByRole('button', { name: 'Take over' }).click();
  await ada.getByText(/Sam Supervisor has control, since/).waitFor();
  await ada.getByRole('button', { name: 'Insist' }).click();
  await entered(ada);
  await sam.getByText('Ada Admin has control.').waitFor();
  await dock(sam).waitFor({ state: 'detached' });
  await write(ada, 'Ada speaking');
  await fromHuman(customer, 'Ada speaking');
});

test('a gated tool is decided during a takeover, and a whisper reaches the model and not the customer', async () => {
  const { customer, path } = await join();
  const page = await openConsole(stack.supervisor, path);
  await page.getByLabel('Whisper to the agent').fill('they are a loyal customer');
  await page.keyboard.press('Enter');
  await page.getByText('Whispered: “they are a loyal customer”').waitFor();
  const order = nextOrder();
  await customer.send(`please refund order ${order}`);
  const request = page.getByRole('group', { name: 'Waits for your decision: refund_order' });
  await request.waitFor();
  await takeOver(page);
  await request.getByRole('button', { name: 'Allow' }).click();
  await request.waitFor({ state: 'detached' });
  await expect.poll(() => recorder.calls.some(({ body }) => body.order === order)).toBe(true);
  expect(model.turns.some(({ text }) => text.includes('loyal customer'))).toBe(true);
  expect(customer.texts.some(({ text }) => text.includes('loyal customer'))).toBe(false);
});

test('with the keyboard alone, from the floor: a permission is allowed, and the conversation taken over and handed back', async () => {
  const { customer, created } = await join();
  const page = await openConsole(stack.supervisor);
  const order = nextOrder();
  await customer.send(`please refund order ${order}`);
  await page.getByRole('group', { name: 'Waits for your decision: refund_order' }).waitFor();
  await tabTo(page, new RegExp(`interactions/${created.interaction_id}$`));
  await page.keyboard.press('Enter');
  await page.getByRole('region', { name: 'Transcript' }).waitFor();
  const request = page.getByRole('group', { name: 'Waits for your decision: refund_order' });
  await request.waitFor();
  await pressFor(page, 'd', /Allow/);
  await page.keyboard.press('Enter');
  await customer.waitForText(/Result: [\s\S]*ref-/);
  await request.waitFor({ state: 'detached' });
  expect(recorder.calls.filter(({ body }) => body.order === order)).toHaveLength(1);

  await pressFor(page, 't', /Take over/);
  await page.keyboard.press('Enter');
  const words = page.getByLabel('Write to the customer');
  await entered(page);
  await expect.poll(() => words.evaluate((node) => node === document.activeElement)).toBe(true);
  await page.keyboard.type('Sam here, all by keyboard');
  await page.keyboard.press('Enter');
  await fromHuman(customer, 'Sam here, all by keyboard');

  await tabTo(page, /Hand back/);
  await page.keyboard.press('Enter');
  const dialog = page.getByRole('dialog', { name: 'Hand back to the agent' });
  await dialog.waitFor();
  await page.keyboard.type('greet them');
  await tabTo(page, /Hand back/);
  await page.keyboard.press('Enter');
  await page.getByText('The agent leads the conversation.').waitFor();
  expectNoComplaints(page);
});

test('what is half written survives a reload and a look at the floor: words, whisper, note, edit, wrap-up', async () => {
  const { customer, path } = await join();
  const page = await openConsole(stack.supervisor, path);
  await customer.send('please refund order 803');
  const request = page.getByRole('group', { name: 'Waits for your decision: refund_order' });
  await request.getByRole('button', { name: 'Edit arguments' }).click();
  const fields: [label: string, text: string][] = [
    ['Run this instead (JSON)', '{"order": "803", "amount": 5}'],
    ['Note', 'five will do'],
    ['Whisper to the agent', 'they are in a hurry'],
    ['Disposition', 'refunded'],
    ['Notes', 'calls again tomorrow'],
  ];
  for (const [label, text] of fields) await page.getByLabel(label, { exact: true }).fill(text);
  await page.reload();
  for (const [label, text] of fields) {
    await expect.poll(() => page.getByLabel(label, { exact: true }).inputValue(), SOON).toBe(text);
  }
  await takeOver(page);
  await page.getByLabel('Write to the customer').fill('One moment, I look');
  await page.getByRole('link', { name: 'Floor' }).first().click();
  await page.locator('.card').first().waitFor();
  await page.goBack();
  await page.reload();
  await dock(page).waitFor();
  const words = page.getByLabel('Write to the customer');
  await expect.poll(() => words.inputValue(), SOON).toBe('One moment, I look');
  await entered(page);
  await words.press('Enter');
  await fromHuman(customer, 'One moment, I look');
  // What was sent is no draft any more.
  await expect.poll(() => words.inputValue(), SOON).toBe('');
  await page.reload();
  await dock(page).waitFor();
  expect(await words.inputValue()).toBe('');
});

test('wrapped up and ended from the page: the verdict is kept, the customer is told, and the page shows the end', async () => {
  const { customer, path, created } = await join();
  const page = await openConsole(stack.supervisor, path);
  await page.getByLabel('Disposition').fill('solved');
  await page.getByLabel('Notes').fill('Wanted <b>ink</b>.');
  await page.getByRole('button', { name: 'Save' }).click();
  await page.getByText('Saved', { exact: true }).waitFor();
  await page.getByRole('button', { name: 'End', exact: true }).click();
  const dialog = page.getByRole('dialog', { name: 'End this conversation?' });
  await dialog.getByLabel('Reason (optional)').fill('all said');
  await expectAccessible(page);
  await dialog.getByRole('button', { name: 'End it' }).click();
  await page.locator('.interaction-head').getByText('Ended', { exact: true }).waitFor();
  await customer.waitForText(/This chat is being closed now/);
  expect(await page.getByRole('button', { name: 'Take over' }).count()).toBe(0);
  const [row] = await stack.database.sql`
    select status, disposition, supervisor_notes from interactions where id = ${created.interaction_id}`;
  expect(row).toEqual({ status: 'completed', disposition: 'solved', supervisor_notes: 'Wanted <b>ink</b>.' });
  const [audit] = await stack.database.sql`
    select actor_id from audit_events where action = 'interaction.end_requested' and subject_id = ${created.interaction_id}`;
  expect(audit?.actor_id).toBe(stack.supervisor.id);
  // The verdict can still be changed when it is over.
  await page.reload();
  await expect.poll(() => page.getByLabel('Notes').inputValue(), SOON).toBe('Wanted <b>ink</b>.');
  await page.getByLabel('Disposition').fill('solved at once');
  await page.getByRole('button', { name: 'Save' }).click();
  await page.getByText('Saved', { exact: true }).waitFor();
  await expectAccessible(page);
  expectNoComplaints(page);
});

test.each([
  { theme: 'light', width: 1_280 },
  { theme: 'dark', width: 390 },
] as const)(
  'taken over, editing a permission, with a dialog open: accessible in $theme at $width pixels',
  async (options) => {
    const { customer, path } = await join();
    const page = await openConsole(stack.supervisor, path, options);
    await customer.send('please refund order 804');
    const request = page.getByRole('group', { name: 'Waits for your decision: refund_order' });
    await request.getByRole('button', { name: 'Edit arguments' }).click();
    await request.getByLabel('Run this instead (JSON)').fill('{"order": ');
    await request.getByText(/not valid JSON/).waitFor();
    await expectAccessible(page);
    await takeOver(page);
    await expectAccessible(page);
    await page.getByRole('button', { name: 'Hand back' }).click();
    await page.getByRole('dialog', { name: 'Hand back to the agent' }).waitFor();
    await expectAccessible(page);
    await page.keyboard.press('Escape');
    await page.getByRole('button', { name: 'You and your settings' }).click();
    await page.getByRole('dialog', { name: 'You and your settings' }).waitFor();
    await expectAccessible(page);
    await page.keyboard.press('Escape');
    await page.context().setOffline(true);
    await page.getByText('No network. What you see may be out of date.').waitFor();
    await expectAccessible(page);
    await page.context().setOffline(false);
    await page.getByText('Live', { exact: true }).waitFor();
  },
);
