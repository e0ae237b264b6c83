// Pictures of the pages for the docs, from a demo that runs in a folder of its own: "npm run screenshots".
import { mkdirSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { Page } from 'playwright-core';
import { z } from 'zod';
import { Child } from '../src/embedded/child.ts';
import { freeTcpPort } from '../src/embedded/ports.ts';
import { openBrowser, signIn, type TestBrowser } from '../test/support/chromium.ts';

const ROOT = fileURLToPath(new URL('..', import.meta.url));
const OUT = join(ROOT, 'docs', 'screenshots');
const WIDE = { width: 1_280, height: 800 };
const PHONE = { width: 390, height: 780 };
/** A first start makes the database and warms the workers up. */
const READY_WITHIN_MS = 180_000;

const demoSchema = z.object({
  api_url: z.string(),
  supervisors: z.array(z.object({ email: z.string(), password: z.string(), supervisor_type: z.string() })),
  admin: z.object({ email: z.string(), password: z.string() }),
  agents: z.array(z.object({ id: z.string(), name: z.string(), agent_type: z.string() })),
});
type Demo = z.output<typeof demoSchema>;

/** Its rehearsal plays a chat and a call, which history and figures then show. */
async function startDemo(folder: string): Promise<{ demo: Demo; child: Child }> {
  const { promise: ready, resolve } = Promise.withResolvers<void>();
  const child = new Child({
    name: 'demo',
    command: process.execPath,
    args: [
      '--disable-warning=ExperimentalWarning',
      'src/main.ts',
      'demo',
      '--data',
      folder,
      '--port',
      String(await freeTcpPort()),
    ],
    cwd: ROOT,
    env: process.env,
    killAfterMs: 60_000,
    onLine: (line) => {
      if (line.startsWith('The demo stays up')) resolve();
    },
  });
  await child.start();
  const late = setTimeout(() => {
    console.error(child.tail);
    process.exit(1);
  }, READY_WITHIN_MS);
  await ready;
  clearTimeout(late);
  return { child, demo: demoSchema.parse(JSON.parse(readFileSync(join(folder, 'demo.json'), 'utf8'))) };
}

async function picture(page: Page, name: string): Promise<void> {
  await page.screenshot({ path: join(OUT, `${name}.png`) });
  console.log(`docs/screenshots/${name}.png`);
}

/** A customer who says all of this, each line after an answer. */
async function customer(browser: TestBrowser, demo: Demo, words: readonly string[]): Promise<Page> {
  const page = await browser.newPage(PHONE);
  await page.goto(`${demo.api_url}/try`);
  await page.getByRole('button', { name: /^Chat with/ }).click();
  const message = page.getByRole('textbox', { name: 'Your message' });
  const agent = page.locator('.line.agent[data-state="done"]');
  await agent.first().waitFor();
  for (const text of words) {
    const said = await agent.count();
    await message.fill(text);
    await message.press('Enter');
    await agent.nth(said).waitFor();
    await page.getByText('Sending…').waitFor({ state: 'detached' });
  }
  return page;
}

/** Whatever model answers: it asks for a number, perhaps whether it should, and says why it has to wait. */
const REFUND = [
  'I would like a refund for order 1043, please.',
  'My number is +1 202 555 0142.',
  'Yes, please.',
];
/** What else goes on, so that the floor shows how different conversations look beside each other. */
const OTHERS = [
  [
    'This is the third time that my parcel is late. It is unacceptable, I am furious!',
    'I want a manager, now.',
  ],
  ['Where is my order 1042?', 'Thank you so much, that is wonderful!'],
];

async function takePictures(browser: TestBrowser, demo: Demo): Promise<void> {
  await Promise.all(OTHERS.map((words) => customer(browser, demo, words)));
  const chat = await customer(browser, demo, REFUND);
  await picture(chat, 'try-phone');

  const page = await browser.newPage(WIDE);
  await signIn(page, demo.api_url, demo.admin);
  await page.getByRole('button', { name: /Allow/ }).first().waitFor();
  await picture(page, 'floor-wide');
  await page.setViewportSize(PHONE);
  await picture(page, 'floor-phone');
  await page.setViewportSize(WIDE);

  await page.goto(`${demo.api_url}/console/history`);
  await page.getByRole('grid').getByRole('row').nth(1).click();
  const replay = page.getByRole('region', { name: 'Replay' });
  await replay.scrollIntoViewIfNeeded();
  await picture(page, 'history-wide');

  await page.goto(`${demo.api_url}/console/performance`);
  await page.getByRole('heading', { name: 'Leaderboard' }).waitFor();
  await picture(page, 'performance-wide');

  const agent = demo.agents.find(({ agent_type }) => agent_type === 'chat');
  await page.goto(`${demo.api_url}/console/agents/${agent?.id}`);
  await page.getByRole('heading', { name: 'Versions' }).waitFor();
  await picture(page, 'agent-wide');

  const dark = await browser.newPage({ ...WIDE, theme: 'dark' });
  await signIn(dark, demo.api_url, demo.admin);
  await dark.getByRole('button', { name: /Allow/ }).first().waitFor();
  await picture(dark, 'floor-dark');
}

const folder = mkdtempSync(join(tmpdir(), 'screenshots-'));
mkdirSync(OUT, { recursive: true });
const { demo, child } = await startDemo(folder);
const browser = await openBrowser();
try {
  await takePictures(browser, demo);
} finally {
  await browser.close();
  await child.stop();
  rmSync(folder, { recursive: true, force: true });
}
process.exit(0);
