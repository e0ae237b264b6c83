import type { Page } from 'playwright-core';
import { afterAll, afterEach, beforeAll, expect, test, vi } from 'vitest';
import type { Customer } from '../../src/embedded/rehearsal/caller/caller.ts';
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

async function openConsole(person: Person, path: string): Promise<Page> {
  const page = await browser.newPage();
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

/** Below every page: the rooms that a person is in. */
const dock = (page: Page) => page.locator('.docked').filter({ hasText: 'You have control' });

function fromHuman(customer: Customer, text: string) {
  const there = () => customer.texts.some((one) => one.role === 'supervisor' && one.text === text);
  return customer.waitFor(there, { what: `the human’s “${text}”` });
}

async function takeOver(page: Page): Promise<void> {
  await page.getByRole('button', { name: 'Take over' }).click();
  await dock(page).waitFor();
  await page.getByPlaceholder('Write to the customer').waitFor();
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

test('a reload in the middle of a takeover enters the room again', async () => {
  const { customer, path } = await join();
  const page = await openConsole(stack.supervisor, path);
  await takeOver(page);
  await write(page, 'one moment please');
  await fromHuman(customer, 'one moment please');
  await page.reload();
  await page.getByText('You have control. The agent listens and is silent.').waitFor();
  await dock(page).waitFor();
  await page.getByPlaceholder('Write to the customer').waitFor();
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
  await dock(ada).waitFor();
  await ada.getByPlaceholder('Write to the customer').waitFor();
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
  await customer.send('please refund order 801');
  const request = page.getByRole('group', { name: 'Waits for your decision: refund_order' });
  await request.waitFor();
  await takeOver(page);
  await request.getByRole('button', { name: 'Allow' }).click();
  await request.waitFor({ state: 'detached' });
  await expect.poll(() => recorder.calls.some(({ body }) => body.order === '801')).toBe(true);
  expect(model.turns.some(({ text }) => text.includes('loyal customer'))).toBe(true);
  expect(customer.texts.some(({ text }) => text.includes('loyal customer'))).toBe(false);
});
