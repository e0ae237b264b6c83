import { randomInt } from 'node:crypto';
import type { Page } from 'playwright-core';
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest';
import { type Floor, setupFloor } from '../api/support.ts';
import { pastInteraction } from '../database/floor.ts';
import {
  expectAccessible,
  expectNoComplaints,
  openBrowser,
  type PageOptions,
  signIn,
  type TestBrowser,
} from '../support/browser.ts';
import type { Agent, Business, Person } from '../support/fixtures.ts';

let floor: Floor;
let browser: TestBrowser;
let business: Business;
let admin: Person;
let supervisor: Person;
let agent: Agent;

beforeAll(async () => {
  [floor, browser] = await Promise.all([setupFloor(), openBrowser()]);
  const { database } = floor;
  business = await database.createBusiness({
    name: 'Harbour Goods',
    timeZone: 'Europe/Amsterdam',
    allowedOrigins: [],
  });
  const businessId = business.id;
  [admin, supervisor] = await Promise.all([
    database.createUser({ businessId, role: 'admin', name: 'Ada Admin' }),
    database.createUser({ businessId, name: 'Sam Supervisor' }),
  ]);
  agent = await database.createAgent({ businessId, supervisorId: supervisor.id, name: 'Paper Pal' });
}, 90_000);

afterAll(async () => {
  await browser?.close();
  await floor?.stop();
}, 60_000);

const pages: Page[] = [];
afterEach(async () => {
  for (const page of pages.splice(0)) await page.close();
});

async function open(
  person: Pick<Person, 'email' | 'password'>,
  path: string,
  options?: PageOptions,
): Promise<Page> {
  const page = await browser.newPage(options);
  pages.push(page);
  await signIn(page, floor.api.url, person, path);
  return page;
}

test('an admin invites a person, who signs in with the password shown once and gets an agent to cover', async () => {
  // Somebody whom no earlier try has invited.
  const name = `Nora New ${randomInt(100_000, 999_999)}`;
  const username = name.replace(/ /g, '').toLowerCase();
  const email = `${username}@example.com`;
  const page = await open(admin, '/admin');
  await page.getByRole('button', { name: 'Invite a person' }).click();
  await page.getByLabel('E-mail').fill(email);
  await page.getByLabel('Name', { exact: true }).fill(name);
  await page.getByLabel('Username').fill(username);
  await page.getByRole('button', { name: 'Invite', exact: true }).click();
  const welcome = page.getByRole('dialog', { name: `${name} is in` });
  const password = (await welcome.locator('code').textContent()) ?? '';
  expect(password.length).toBeGreaterThan(8);
  await welcome.getByRole('button', { name: 'Done' }).click();
  await page.getByRole('grid', { name: 'People' }).getByText(email).waitFor();

  await page.getByRole('tab', { name: 'Who supervises what' }).click();
  await page.getByRole('button', { name: /Cover for Paper Pal/ }).click();
  await page.getByRole('option', { name }).click();
  await page.getByText('Saved.').waitFor();

  const hers = await open({ email, password }, '/agents');
  await hers.getByRole('grid', { name: 'Agents' }).getByText('Paper Pal').waitFor();

  await page.getByRole('tab', { name: 'People' }).click();
  await page.getByRole('button', { name: `Remove ${name}` }).click();
  await page.getByRole('dialog').getByRole('button', { name: 'Remove' }).click();
  await page.getByText(email).waitFor({ state: 'detached' });
  expectNoComplaints(page);
}, 60_000);

test('websites, retention and time zone are changed, with mistakes said, and all of it is in the audit log', async () => {
  // As an earlier try did not leave it.
  await floor.database.sql`
    update businesses set allowed_origins = '{}', retention = default where id = ${business.id}`;
  const page = await open(admin, '/admin?tab=business');
  const websites = page.getByLabel(/Websites that may start conversations/);
  await websites.fill('shop.example/path');
  await page.getByRole('button', { name: 'Save' }).click();
  await page
    .getByRole('alert')
    .filter({ hasText: /origin/i })
    .waitFor();
  await websites.fill('https://shop.example');
  await page.getByLabel('Archives (days)').fill('30');
  await page.getByRole('button', { name: 'Save' }).click();
  await page.getByText('Saved.').waitFor();
  const frame = await fetch(`${floor.api.url}/widget/${agent.id}`);
  expect(frame.headers.get('content-security-policy')).toContain('frame-ancestors https://shop.example');
  const [row] = await floor.database.sql`select retention from businesses where id = ${business.id}`;
  expect(row?.retention).toMatchObject({ archives_days: 30 });

  await page.getByRole('tab', { name: 'Audit log' }).click();
  const log = page.getByRole('grid', { name: 'Audit log' });
  await log.getByText('business changed').first().waitFor();
  await log.getByText('Ada Admin').first().waitFor();
  expectNoComplaints(page);
}, 60_000);

test('a callback that a customer was promised is shown, and done once somebody called', async () => {
  const id = await pastInteraction(floor.database, agent, { startedAt: new Date() });
  // Of an earlier try.
  await floor.database.sql`delete from callback_requests where business_id = ${business.id}`;
  await floor.database.sql`
    insert into callback_requests (business_id, agent_id, interaction_id, phone_number, reason)
    values (${business.id}, ${agent.id}, ${id}, '+12025550142', 'Wants a person')`;
  const page = await open(admin, '/admin?tab=callbacks');
  await page.getByText('Wants a person').waitFor();
  await page.getByRole('button', { name: '+12025550142 was called back' }).click();
  await page.getByText('Nobody waits for a call').waitFor();
}, 60_000);

test('a supervisor finds no administration, neither in the navigation nor by its address', async () => {
  const page = await open(supervisor, '/admin');
  await page.getByText('This page is for admins').waitFor();
  expect(await page.getByRole('navigation', { name: 'Pages' }).getByText('Admin').count()).toBe(0);
}, 60_000);

test.each([
  { theme: 'light', width: 1_280 },
  { theme: 'dark', width: 360 },
] as const)(
  'administration and figures are accessible and fit in $theme at $width pixels',
  async (options) => {
    await pastInteraction(floor.database, agent, { startedAt: new Date(), csat: 80, seconds: 90 });
    const page = await open(admin, '/performance', options);
    await page.getByText('The numbers').click();
    await page.getByRole('grid', { name: 'By day' }).getByText('80').first().waitFor();
    await expectAccessible(page);
    for (const tab of ['people', 'assignment', 'business', 'callbacks', 'audit']) {
      await page.goto(`${floor.api.url}/console/admin?tab=${tab}`);
      await page.getByRole('tabpanel').locator('button, table, li').first().waitFor();
      await expectAccessible(page);
      expect(await page.evaluate('document.documentElement.scrollWidth <= innerWidth'), tab).toBe(true);
    }
    expectNoComplaints(page);
  },
  90_000,
);
