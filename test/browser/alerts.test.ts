import { randomUUID } from 'node:crypto';
import type { Page } from 'playwright-core';
import { afterAll, afterEach, beforeAll, expect, test, vi } from 'vitest';
import { type Floor, setupFloor } from '../api/support.ts';
import { gatedCall } from '../database/floor.ts';
import {
  expectAccessible,
  expectNoComplaints,
  openBrowser,
  signIn,
  type TestBrowser,
} from '../support/browser.ts';
import type { Agent, Person } from '../support/fixtures.ts';

// A browser on a busy machine.
vi.setConfig({ testTimeout: 120_000 });
const SOON = { timeout: 30_000 };

let floor: Floor;
let browser: TestBrowser;

beforeAll(async () => {
  [floor, browser] = await Promise.all([setupFloor(), openBrowser()]);
}, 90_000);

afterAll(async () => {
  await browser?.close();
  await floor?.stop();
}, 60_000);

const undo: (() => Promise<unknown>)[] = [];
afterEach(async () => {
  for (const step of undo.splice(0).reverse()) await step();
});

/** Everybody of a business of its own: what one test raises must not sound in another. */
async function setup(): Promise<{ agent: Agent; supervisor: Person }> {
  const { database } = floor;
  const { id: businessId } = await database.createBusiness({ name: 'Harbour Goods' });
  const supervisor = await database.createUser({ businessId, name: 'Sam Supervisor' });
  const agent = await database.createAgent({ businessId, supervisorId: supervisor.id, name: 'Ava' });
  return { agent, supervisor };
}

/** A conversation that is going on, as a worker would have left it; no worker runs here. */
async function talk(agent: Agent): Promise<string> {
  const [row] = await floor.database.sql<{ id: string }[]>`
    insert into interactions (business_id, agent_id, interaction_type, livekit_room_id, status, started_at,
      answered_at, phone_number, phone_source, generation, worker_id, lease_until)
    values (${agent.businessId}, ${agent.id}, 'chat', ${`room-${randomUUID()}`}, 'active', now(), now(),
      '+12025550142', 'claimed', 1, 'somewhere', now() + interval '1 hour')
    returning id`;
  if (!row) throw new Error('no interaction was made');
  return row.id;
}

/** The browser's own means, noted as they are used. A page in front of a person notifies nobody: this one is not. */
const OBSERVE = `
  globalThis.notified = [];
  globalThis.heard = [];
  Document.prototype.hasFocus = () => false;
  globalThis.Notification = class extends Notification {
    constructor(title, options) {
      super(title, options);
      notified.push(this);
    }
  };
  const { start } = OscillatorNode.prototype;
  OscillatorNode.prototype.start = function (at) {
    heard.push(Math.round(this.frequency.value));
    return start.call(this, at);
  };`;

async function openFloor(supervisor: Person): Promise<Page> {
  const page = await browser.newPage();
  undo.push(() => page.close());
  await page.context().grantPermissions(['notifications']);
  await page.addInitScript(OBSERVE);
  // Silence is a matter of time: the page's clock runs as ever, and is put forward instead of waiting.
  await page.clock.install();
  await signIn(page, floor.api.url, supervisor);
  await ready(page);
  return page;
}

async function loaded(page: Page): Promise<void> {
  await page.getByText('Live', { exact: true }).waitFor();
  await page.locator('.floor[aria-busy="false"]').waitFor({ state: 'attached' });
  await page.getByRole('heading', { name: 'Floor' }).waitFor();
}

async function ready(page: Page): Promise<void> {
  await loaded(page);
  // Browsers play nothing before a person has done something.
  await page.getByRole('heading', { name: 'Floor' }).click();
}

const notified = (page: Page) => page.evaluate<string[]>('notified.map(({ body }) => body)');
const heard = (page: Page) => page.evaluate<number[]>('heard');

interface Kind {
  readonly label: string;
  /** A note that only this kind has, in hertz. */
  readonly note: number;
  readonly words: string;
  readonly raise: (id: string, page: Page) => Promise<unknown>;
}

const key = (interactionId: string) => ({ key: { interactionId, generation: 1 } });

const KINDS: readonly Kind[] = [
  {
    label: 'Waiting for a decision',
    note: 880,
    words: 'Ava waits for your decision: refund_order',
    raise: (id) => gatedCall(floor.database.service, key(id)),
  },
  {
    label: 'Asks for a human',
    note: 784,
    words: 'A customer of Ava asks for a human',
    raise: (id) => floor.database.sql`
      update interactions set supervisor_requested_at = now(), supervisor_request_reason = 'a person, please'
      where id = ${id}`,
  },
  {
    label: 'Critical',
    note: 349,
    words: 'A conversation of Ava is critical',
    raise: (id) => floor.database.sql`
      insert into realtime_metrics (interaction_id, sentiment, satisfaction_score, feed_text)
      values (${id}, 'critical', 12, 'The customer shouts.')`,
  },
  {
    label: 'Long silence',
    note: 330,
    words: 'Nobody has spoken with Ava for a while',
    raise: async (id, page) => {
      await floor.database.sql`
        insert into interaction_messages (interaction_id, item_id, seq, role, content, spoken_at)
        values (${id}, 'm1', 1, 'agent', 'Are you still there?', now())`;
      const card = page.locator('.card').filter({ has: page.locator(`a[href$="${id}"]`) });
      await card.getByText('Agent spoke last').waitFor();
      await page.clock.fastForward(40_000);
    },
  },
];

test.each(KINDS)('$label: by sound, in the tab, on the desktop, and by no muted way', async (kind) => {
  const { agent, supervisor } = await setup();
  const first = await talk(agent);
  const page = await openFloor(supervisor);
  await page.locator('.card').waitFor();
  expect(await page.title()).toMatch(/^Floor/);
  await kind.raise(first, page);
  await expect.poll(() => notified(page), SOON).toContain(kind.words);
  await expect.poll(() => heard(page), SOON).toContain(kind.note);
  await expect.poll(() => page.title(), SOON).toMatch(/^\(1\) Floor/);

  await page.getByRole('button', { name: 'Alerts' }).click();
  const settings = page.getByRole('dialog', { name: 'Alerts' });
  for (const way of ['Sound', 'Tab', 'Desktop']) {
    await settings.getByLabel(`${kind.label}: ${way}`).uncheck();
  }
  await expectAccessible(page);
  await expect.poll(() => page.title(), SOON).toMatch(/^Floor/);
  await page.reload();
  await ready(page);
  await page.getByRole('button', { name: 'Alerts, some are muted' }).waitFor();

  // Another occasion of the kind, and one of another kind that tells when both were looked at.
  const second = await talk(agent);
  await page.locator('.card').nth(1).waitFor();
  await kind.raise(second, page);
  const other = KINDS.find(({ label }) => label !== kind.label);
  await other?.raise(await talk(agent), page);
  await expect.poll(() => notified(page), SOON).toContain(other?.words);
  await expect.poll(() => heard(page), SOON).toContain(other?.note);
  await expect.poll(() => page.title(), SOON).toMatch(/^\(1\) Floor/);
  expect(await notified(page)).not.toContain(kind.words);
  expect(await heard(page)).not.toContain(kind.note);
  expectNoComplaints(page);
});

test('a click on a desktop notification brings the conversation to the front', async () => {
  const { agent, supervisor } = await setup();
  const id = await talk(agent);
  const page = await openFloor(supervisor);
  await page.locator('.card').waitFor();
  await gatedCall(floor.database.service, key(id));
  await expect.poll(() => notified(page), SOON).toHaveLength(1);
  await page.evaluate('notified[0].onclick()');
  await page.getByRole('group', { name: 'Waits for your decision: refund_order' }).waitFor();
  expect(page.url()).toContain(`/console/interactions/${id}`);
});

test('while the browser plays no sound the page says so, until a person has done something', async () => {
  const { supervisor } = await setup();
  const page = await openFloor(supervisor);
  const turnOn = page.getByRole('button', { name: 'Turn sound on' });
  await turnOn.waitFor({ state: 'detached' });
  // The browser would count the click before the reload for some seconds; here only what is done on this page counts.
  await page.addInitScript(`
    let acted = false;
    let allowed = false;
    addEventListener('pointerdown', () => { acted = true; }, { capture: true });
    Object.defineProperty(AudioContext.prototype, 'state', { get: () => (allowed ? 'running' : 'suspended') });
    AudioContext.prototype.resume = async function () {
      allowed = acted;
      this.dispatchEvent(new Event('statechange'));
    };`);
  await page.reload();
  await turnOn.waitFor();
  await loaded(page);
  await expectAccessible(page);
  await page.setViewportSize({ width: 360, height: 780 });
  expect(await page.evaluate('document.documentElement.scrollWidth')).toBeLessThanOrEqual(360);
  await turnOn.click();
  await turnOn.waitFor({ state: 'detached' });
});

test('a promised call alerts, stands on the floor with its reason, and is done once somebody called', async () => {
  const { agent, supervisor } = await setup();
  const id = await talk(agent);
  const page = await openFloor(supervisor);
  await page.locator('.card').waitFor();
  await floor.database.sql`
    insert into callback_requests (business_id, agent_id, interaction_id, phone_number, reason, preferred_time)
    values (${agent.businessId}, ${agent.id}, ${id}, '+12025550142', 'Wants a <b>person</b>', 'after five')`;
  await expect
    .poll(() => notified(page), SOON)
    .toContain('A customer wants to be called back: Wants a <b>person</b>');
  const list = page.getByRole('region', { name: 'To be called back' });
  await list.getByText('Wants a <b>person</b>').waitFor();
  await list.getByText('best: after five').waitFor();
  await expectAccessible(page);
  await list.getByRole('button', { name: 'Called back' }).click();
  await list.waitFor({ state: 'detached' });
  await expect.poll(() => page.title(), SOON).toMatch(/^Floor/);
  const [row] = await floor.database.sql`
    select done_at is not null as done, done_by_name from callback_requests where interaction_id = ${id}`;
  expect(row).toEqual({ done: true, done_by_name: 'Sam Supervisor' });
  expectNoComplaints(page);
});
