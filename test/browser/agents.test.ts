import { randomInt } from 'node:crypto';
import type { Page } from 'playwright-core';
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest';
import {
  expectAccessible,
  expectNoComplaints,
  openBrowser,
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

beforeAll(async () => {
  model = await setupModel((request) => `You said: ${request.lastUser}`);
  model.background(wantsJson, () => ({ text: '{}' }));
  [stack, browser] = await Promise.all([setupStack({ openaiBaseUrl: model.openaiBaseUrl }), openBrowser()]);
  admin = await stack.database.createUser({
    businessId: stack.business.id,
    role: 'admin',
    name: 'Ada Admin',
  });
}, 90_000);

afterAll(async () => {
  await browser?.close();
  await stack?.stop();
  await model?.stop();
}, 60_000);

/** An agent in its first version, which no other test and no earlier try has edited. */
function createAgent(): Promise<Agent> {
  return stack.createAgent({
    name: `Paper Pal ${randomInt(100_000, 999_999)}`,
    maxConcurrentInteractions: 10,
    tools: [
      {
        toolName: 'refund_order',
        requiresPermission: true,
        toolConfig: { transport: 'http', endpoint: 'http://127.0.0.1:9/mcp' },
      },
    ],
  });
}

const pages: Page[] = [];
afterEach(async () => {
  for (const page of pages.splice(0)) await page.close();
});

async function open(person: Person, path: string): Promise<Page> {
  const page = await browser.newPage();
  pages.push(page);
  await signIn(page, stack.apiUrl, person, path);
  return page;
}

test('an admin edits an agent: mistakes are said at the field, the next conversation has the change, and it goes back', async () => {
  const agent = await createAgent();
  const page = await open(admin, '/agents');
  await page.getByRole('grid', { name: 'Agents' }).getByText(agent.name).click();
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
  await expect.poll(() => greeting.inputValue()).toBe('Hello, how can I help?');
  expectNoComplaints(page);
}, 90_000);

test('two people edit at once: the later one is told who was faster, and nothing is lost', async () => {
  const agent = await createAgent();
  const sam = await stack.supervisorOf(agent);
  const page = await open(admin, `/agents/${agent.id}`);
  await page.getByLabel('Greeting').fill('From Ada.');
  const mine = await stack.request(`/v1/agents/${agent.id}`, { as: sam });
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
    as: sam,
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
  const agent = await createAgent();
  const page = await open(await stack.supervisorOf(agent), `/agents/${agent.id}`);
  await page.getByText('Only an admin may remove this gate.').waitFor();
  expect(await page.getByRole('switch', { name: /Needs permission/ }).isDisabled()).toBe(true);
  expect(await page.getByRole('button', { name: 'Add a tool' }).count()).toBe(0);
}, 60_000);
