import { afterAll, beforeAll, expect, test } from 'vitest';
import { type RunningApi, runApi } from '../../src/cli/api.ts';
import { loadConfig } from '../../src/config.ts';
import { createLog } from '../../src/log.ts';
import {
  expectAccessible,
  expectNoComplaints,
  openBrowser,
  signIn,
  type TestBrowser,
} from '../support/browser.ts';
import { setupDatabase, type TestDatabase } from '../support/database.ts';
import type { Person } from '../support/fixtures.ts';
import { setupLiveKit } from '../support/livekit.ts';

let database: TestDatabase;
let api: RunningApi;
let browser: TestBrowser;
let person: Person;
let apiUrl: string;

beforeAll(async () => {
  database = await setupDatabase();
  const livekit = setupLiveKit();
  const config = loadConfig({
    LIVEKIT_URL: livekit.url,
    LIVEKIT_API_KEY: livekit.apiKey,
    LIVEKIT_API_SECRET: livekit.apiSecret,
    SUPABASE_URL: database.supabaseUrl,
    SUPABASE_SECRET_KEY: database.secretKey,
    SUPABASE_PUBLISHABLE_KEY: database.publishableKey,
    OPENAI_API_KEY: 'test',
    DEEPGRAM_API_KEY: 'test',
    PORT: '0',
    METRICS_PORT: '0',
    HOST: '127.0.0.1',
  });
  api = await runApi(config, createLog({ level: 'silent' }));
  apiUrl = `http://127.0.0.1:${api.port}`;
  const business = await database.createBusiness({ name: 'Harbour Goods' });
  person = await database.createUser({ businessId: business.id, name: 'Sam Supervisor' });
  browser = await openBrowser();
}, 90_000);

afterAll(async () => {
  await browser?.close();
  await api?.stop();
  await database?.stop();
}, 60_000);

test('a wrong password says so, the right one leads to the floor, and a reload stays there', async () => {
  const page = await browser.newPage();
  await page.goto(`${apiUrl}/console`);
  await page.getByLabel('E-mail').fill(person.email);
  await page.getByLabel('Password').fill('not the password');
  await page.getByRole('button', { name: 'Sign in' }).click();
  await page.getByText('E-mail address or password is not right.').waitFor();
  await page.getByLabel('Password').fill(person.password);
  await page.keyboard.press('Enter');
  await page.getByText('All quiet').waitFor();
  await page.getByText('All quiet').waitFor();
  await page.reload();
  await page.getByText('All quiet').waitFor();
  expectNoComplaints(page);
  await page.close();
});

test('signing out leaves nothing behind, and the floor is closed again', async () => {
  const page = await browser.newPage();
  await signIn(page, apiUrl, person);
  await page.getByText('All quiet').waitFor();
  await page.getByRole('button', { name: 'You and your settings' }).click();
  await page.getByRole('button', { name: 'Sign out' }).click();
  await page.getByLabel('E-mail').waitFor();
  await page.reload();
  await page.getByLabel('E-mail').waitFor();
  expect(await page.evaluate('JSON.stringify({ ...localStorage, ...sessionStorage })')).not.toContain(
    'token',
  );
  expectNoComplaints(page);
  await page.close();
});

/**
 * The embedded auth server has no second factors, so its answers are completed here as Supabase's documentation has
 * them: what is shown is that the page asks, not that Supabase checks.
 */
test('an account with an authenticator app is asked for its code before anything is loaded', async () => {
  const page = await browser.newPage();
  const asked: string[] = [];
  page.on('request', (request) => asked.push(new URL(request.url()).pathname));
  const factor = { id: 'f1', factor_type: 'totp', status: 'verified', created_at: '', updated_at: '' };
  let session: Record<string, unknown> = {};
  await page.route('**/auth/v1/token*', async (route) => {
    const response = await route.fetch();
    session = { ...(await response.json()) };
    session.user = { ...(session.user as object), factors: [factor] };
    await route.fulfill({ response, json: session });
  });
  await page.route('**/auth/v1/user', async (route) => {
    const response = await route.fetch();
    await route.fulfill({ response, json: { ...(await response.json()), factors: [factor] } });
  });
  await page.route('**/auth/v1/factors/f1/challenge', (route) =>
    route.fulfill({ json: { id: 'c1', type: 'totp', expires_at: Math.floor(Date.now() / 1_000) + 300 } }),
  );
  await page.route('**/auth/v1/factors/f1/verify', async (route) => {
    const { code } = route.request().postDataJSON() as { code: string };
    if (code !== '123456') {
      const json = { code: 422, error_code: 'mfa_verification_failed', msg: 'Invalid TOTP code entered' };
      return route.fulfill({ status: 422, json });
    }
    // The same claims at the higher level; the signature is of no matter to the page.
    const [head, body = '', signature] = String(session.access_token).split('.');
    const claims = { ...JSON.parse(Buffer.from(body, 'base64url').toString()), aal: 'aal2' };
    const token = [head, Buffer.from(JSON.stringify(claims)).toString('base64url'), signature].join('.');
    return route.fulfill({ json: { ...session, access_token: token } });
  });
  await page.goto(`${apiUrl}/console`);
  await page.getByLabel('E-mail').fill(person.email);
  await page.getByLabel('Password').fill(person.password);
  await page.keyboard.press('Enter');
  const code = page.getByLabel('Code from your authenticator app');
  await code.fill('000000');
  await page.keyboard.press('Enter');
  await page.getByText('This code is not right, or it has expired.').waitFor();
  expect(asked.filter((path) => path.startsWith('/v1/'))).toEqual([]);
  await expectAccessible(page);
  await code.fill('123 456');
  await page.keyboard.press('Enter');
  await page.getByRole('navigation', { name: 'Pages' }).waitFor();
  await page.close();
});

test.each(['light', 'dark'] as const)('sign-in is accessible in %s', async (theme) => {
  const page = await browser.newPage({ theme });
  await page.goto(`${apiUrl}/console`);
  await page.getByRole('button', { name: 'Sign in' }).waitFor();
  await expectAccessible(page);
  expect(await page.evaluate('document.documentElement.dataset.theme')).toBe(theme);
  await page.close();
});
