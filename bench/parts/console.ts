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
import { measureCrowd } from './console-crowd.ts';

const PER_CHAT = 5;
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

async function measureStart(
  stack: Stack,
  browser: TestBrowser,
  starts: number,
  results: Measurements,
): Promise<void> {
  const signedIn = await browser.newPage();
  await signIn(signedIn, stack.apiUrl, stack.supervisor);
  const storage = await signedIn.context().storageState();
  await signedIn.context().close();
  for (let nth = 0; nth < starts; nth += 1) {
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
    await results.attempt('console', () => measureStart(stack, browser, options.starts, results));
    const page = await browser.newPage();
    await signIn(page, stack.apiUrl, stack.supervisor);
    await page.getByText('All quiet').waitFor();
    await results.attempt('console', () =>
      measureClicks(stack, page, agent, recorder, options.decisions, results),
    );
    await page.context().close();
    await results.attempt('console', () =>
      measureCrowd(stack, browser, agent, options.watch * 1_000, results),
    );
  } finally {
    await browser.close();
    await recorder.stop();
  }
}
