import { readFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import type { Page } from 'playwright-core';
import { expect } from 'vitest';
import { z } from 'zod';
import { complaintsOf } from './chromium.ts';

export { type BrowserOptions, openBrowser, type PageOptions, signIn, type TestBrowser } from './chromium.ts';

/** Fails when the page broke its content security policy or threw. */
export function expectNoComplaints(page: Page): void {
  expect(complaintsOf(page)).toEqual([]);
}

const axePath = createRequire(import.meta.url).resolve('axe-core/axe.min.js');
const violationsSchema = z.array(
  z.object({
    id: z.string(),
    help: z.string(),
    nodes: z.array(z.object({ html: z.string(), failureSummary: z.string().optional() })),
  }),
);

/** Colours that are on their way from one to another have no contrast of their own. */
const SETTLED = `Promise.race([
  Promise.all(document.getAnimations()
    .filter((one) => one.playState === 'running' && one.effect?.getComputedTiming().endTime !== Infinity)
    .map(({ finished }) => finished.catch(() => undefined))),
  new Promise((resolve) => setTimeout(resolve, 5_000)),
]).then(() => undefined)`;

/** No violations of what axe can check, in the state in which the page is now. */
export async function expectAccessible(page: Page): Promise<void> {
  await page.evaluate(SETTLED);
  // Past the page's policy, which rightly forbids scripts from elsewhere.
  await page.evaluate(await readFile(axePath, 'utf8'));
  const violations = violationsSchema.parse(
    await page.evaluate('axe.run(document, { resultTypes: ["violations"] }).then((r) => r.violations)'),
  );
  const told = violations.map(({ id, help, nodes }) => ({
    id,
    help,
    nodes: nodes.map(({ html, failureSummary }) => `${html.slice(0, 200)}\n${failureSummary ?? ''}`),
  }));
  expect(told, JSON.stringify(told, null, 2)).toEqual([]);
}
