import type { Page } from 'playwright-core';
import { z } from 'zod';
import { openBrowser, signIn, type TestBrowser } from '../../test/support/chromium.ts';
import type { Agent } from '../../test/support/fixtures.ts';
import { setupRecorder, type ToolRecorder } from '../../test/support/recorder.ts';
import { refundTool } from '../../test/support/shop-model.ts';
import type { Measurements } from '../measurements.ts';
import type { BenchOptions } from '../options.ts';
import type { Stack } from '../stack.ts';
import { greeted } from './chat.ts';

const STARTS = 5;
const PER_CHAT = 5;
const CROWD = 100;
const WATCH_MS = 30_000;
const METRICS_EVERY_MS = 5_000;
const number = z.number();

/** What the browser fetches until the floor is there, as it came over the wire. */
async function countBytes(page: Page): Promise<() => number> {
  const session = await page.context().newCDPSession(page);
  await session.send('Network.enable');
  let bytes = 0;
  session.on('Network.loadingFinished', ({ encodedDataLength }) => {
    bytes += encodedDataLength;
  });
  return () => bytes;
}

async function measureStart(stack: Stack, browser: TestBrowser, results: Measurements): Promise<void> {
  const signedIn = await browser.newPage();
  await signIn(signedIn, stack.apiUrl, stack.supervisor);
  const storage = await signedIn.context().storageState();
  await signedIn.context().close();
  for (let nth = 0; nth < STARTS; nth += 1) {
    // Signed in, and with an empty cache.
    const context = await browser.browser.newContext({
      storageState: storage,
      viewport: { width: 1_280, height: 860 },
    });
    const page = await context.newPage();
    const bytes = await countBytes(page);
    const beganAt = Date.now();
    await page.goto(`${stack.apiUrl}/console`);
    await page.getByText('Live', { exact: true }).waitFor();
    await page.locator('.floor[aria-busy="false"]').waitFor({ state: 'attached' });
    results.add('console', 'start: address to live floor, cold cache', Date.now() - beganAt);
    const paint = await page.evaluate(
      'performance.getEntriesByName("first-contentful-paint")[0]?.startTime ?? 0',
    );
    results.add('console', '  first paint', number.parse(paint));
    results.add('console', 'page weight until the floor, compressed', bytes() / 1_024, 'kB');
    await context.close();
  }
}

async function measureClicks(
  stack: Stack,
  page: Page,
  agent: Agent,
  recorder: ToolRecorder,
  decisions: number,
  results: Measurements,
): Promise<void> {
  // The moment at which the browser heard of it, by the clock that the recorder has too.
  await page.evaluate('addEventListener("click", () => { globalThis.clickedAt = Date.now(); }, true)');
  const chats = Math.ceil(decisions / PER_CHAT);
  for (let chat = 0; chat < chats; chat += 1) {
    const visit = await stack.join(agent);
    await greeted(visit);
    await results.repeat('console', Math.min(PER_CHAT, decisions - chat * PER_CHAT), async (nth) => {
      const order = `${9_000 + chat * 100 + nth}`;
      const sentAt = Date.now();
      await visit.customer.send(`Please refund order ${order}`);
      const allow = page.getByRole('button', { name: 'Allow' });
      await allow.waitFor();
      results.add('console', 'message to request on the floor', Date.now() - sentAt);
      await new Promise((resolve) => setTimeout(resolve, 500 + Math.random() * 1_000));
      await allow.click();
      const call = await visit.customer.waitFor(
        () => recorder.calls.find(({ body }) => body.order === order),
        {
          what: 'the call of the tool',
        },
      );
      results.add('console', 'click to tool start', call.at - number.parse(await page.evaluate('clickedAt')));
      await visit.customer.waitForText('It is done', { since: sentAt });
      await allow.waitFor({ state: 'detached' });
    });
    await stack.end(agent, visit);
  }
}

/** Rows as a worker would write them; nothing but the page is measured. */
async function crowd(stack: Stack, agent: Agent): Promise<string[]> {
  const rows = await stack.sql<{ id: string }[]>`
    insert into interactions (business_id, agent_id, interaction_type, livekit_room_id, status, started_at, answered_at,
      phone_number, phone_source, generation, worker_id, lease_until)
    select ${agent.businessId}, ${agent.id}, 'chat', 'bench-' || gen_random_uuid(), 'active', now() - n * interval '7 s', now(),
      '+4416329' || (60000 + n), 'claimed', 1, 'bench', now() + interval '1 hour'
    from generate_series(1, ${CROWD}) n returning id`;
  const ids = rows.map(({ id }) => id);
  await stack.sql`
    insert into realtime_metrics (interaction_id, timestamp, sentiment, satisfaction_score, feed_text)
    select i.id, now() - n * interval '5 s', (array['good', 'neutral', 'critical'])[1 + (n / 7) % 3],
      50 + 40 * sin(n / 5.0), 'Customer asks when the parcel arrives; the agent looks it up.'
    from unnest(${ids}::uuid[]) i(id), generate_series(1, 120) n`;
  return ids;
}

async function measureCrowd(
  stack: Stack,
  browser: TestBrowser,
  agent: Agent,
  results: Measurements,
): Promise<void> {
  const ids = await crowd(stack, agent);
  const page = await browser.newPage({ width: 1_440, height: 900 });
  await signIn(page, stack.apiUrl, stack.supervisor);
  await page
    .locator('.card')
    .nth(CROWD - 1)
    .waitFor({ state: 'attached' });
  await page.evaluate(`
    globalThis.tasks = [];
    new PerformanceObserver((list) => { for (const { duration } of list.getEntries()) tasks.push(duration); })
      .observe({ type: 'longtask' });
    globalThis.frames = [];
    let before = performance.now();
    const frame = (now) => { frames.push(now - before); before = now; requestAnimationFrame(frame); };
    requestAnimationFrame(frame);`);
  const until = Date.now() + WATCH_MS;
  for (let round = 1; Date.now() < until; round += 1) {
    // Each has its own moment within the five seconds, as sessions have.
    const parts = 25;
    for (let part = 0; part < parts; part += 1) {
      const some = ids.filter((_id, index) => index % parts === part);
      await stack.sql`
        insert into realtime_metrics (interaction_id, sentiment, satisfaction_score, feed_text)
        select i.id, (array['good', 'neutral', 'critical'])[1 + (${part} + ${round} / 6)::int % 3], 20 + random() * 60, 'Round ' || ${String(round)}
        from unnest(${some}::uuid[]) i(id)`;
      await page.mouse.wheel(0, part % 2 === 0 ? 240 : -200);
      await new Promise((resolve) => setTimeout(resolve, METRICS_EVERY_MS / parts));
    }
  }
  const tasks = z.array(number).parse(await page.evaluate('tasks'));
  const frames = z.array(number).parse(await page.evaluate('frames'));
  for (const duration of frames) results.add('console', `frame, ${CROWD} conversations`, duration);
  for (const duration of tasks.length > 0 ? tasks : [0]) {
    results.add('console', `long task (over 50 ms), ${CROWD} conversations`, duration);
  }
  const blocked = tasks.reduce((sum, duration) => sum + duration - 50, 0);
  results.add('console', `  blocked beyond 50 ms, in ${WATCH_MS / 1_000} s`, blocked);
  const heap = await page.evaluate('performance.memory.usedJSHeapSize / 1024 / 1024');
  results.add('console', `heap, ${CROWD} conversations`, number.parse(heap), 'MB');
  await page.context().close();
  await stack.sql`update interactions set status = 'completed', ended_at = now() where id = any (${ids}::uuid[])`;
}

export async function measureConsole(
  stack: Stack,
  options: BenchOptions,
  results: Measurements,
): Promise<void> {
  const recorder = await setupRecorder();
  const browser = await openBrowser({ args: ['--enable-precise-memory-info'] });
  try {
    const agent = await stack.createAgent({
      tools: [refundTool(recorder.url)],
      maxConcurrentInteractions: 200,
    });
    await results.attempt('console', () => measureStart(stack, browser, results));
    const page = await browser.newPage();
    await signIn(page, stack.apiUrl, stack.supervisor);
    await page.getByText('All quiet').waitFor();
    await results.attempt('console', () =>
      measureClicks(stack, page, agent, recorder, options.decisions, results),
    );
    await page.context().close();
    await results.attempt('console', () => measureCrowd(stack, browser, agent, results));
  } finally {
    await browser.close();
    await recorder.stop();
  }
}
