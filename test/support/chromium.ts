import { execFile } from 'node:child_process';
import { existsSync } from 'node:fs';
import { delimiter, isAbsolute, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { type Browser, type BrowserContext, chromium, type Page } from 'playwright-core';
import type { Person } from './fixtures.ts';

const ROOT = fileURLToPath(new URL('../..', import.meta.url));
const NAMES = ['chromium', 'chromium-browser', 'google-chrome', 'google-chrome-stable'];
const ELSEWHERE = ['/usr/bin/chromium', '/Applications/Google Chrome.app/Contents/MacOS/Google Chrome'];
const WAIT_MS = 20_000;

export interface BrowserOptions {
  /** A WAV file that plays as the microphone, again and again. */
  readonly microphone?: string;
  /** Of a special test, beside the usual ones. */
  readonly args?: readonly string[];
}

export interface PageOptions {
  readonly theme?: 'light' | 'dark';
  readonly width?: number;
  readonly height?: number;
  /** Share storage and sign-in with this page; without it a page is a visitor of its own. */
  readonly beside?: Page;
}

export interface TestBrowser {
  readonly browser: Browser;
  newPage(options?: PageOptions): Promise<Page>;
  close(): Promise<void>;
}

/** What a page did that it must not: broke its content policy, threw, or wrote an error. */
const complaints = new WeakMap<Page, string[]>();

function executable(): string {
  const named = process.env.CHROMIUM_BIN;
  if (named) return named;
  const folders = (process.env.PATH ?? '').split(delimiter).filter(isAbsolute);
  const candidates = [...folders.flatMap((folder) => NAMES.map((name) => join(folder, name))), ...ELSEWHERE];
  const found = candidates.find((path) => existsSync(path));
  if (found) return found;
  throw new Error('No Chromium was found. Run "npm test", whose set-up brings one, or set CHROMIUM_BIN.');
}

/** Builds the pages when their sources have changed since; waits while another test file does. */
async function buildPages(): Promise<void> {
  await promisify(execFile)(process.execPath, ['scripts/setup.mjs'], { cwd: ROOT });
}

/** A real Chromium. Close it in `afterAll`; its pages go with it. */
export async function openBrowser(options: BrowserOptions = {}): Promise<TestBrowser> {
  await buildPages();
  const browser = await chromium.launch({
    executablePath: executable(),
    args: [
      '--no-sandbox',
      '--disable-gpu',
      '--no-first-run',
      '--disable-background-networking',
      '--disable-component-update',
      '--disable-sync',
      '--disable-quic',
      '--autoplay-policy=no-user-gesture-required',
      '--use-fake-ui-for-media-stream',
      '--use-fake-device-for-media-stream',
      ...(options.microphone ? [`--use-file-for-fake-audio-capture=${options.microphone}`] : []),
      ...(options.args ?? []),
    ],
  });
  const contexts = new Map<Page, BrowserContext>();
  return {
    browser,
    async newPage({ theme = 'light', width = 1_280, height = 860, beside } = {}) {
      const context =
        (beside && contexts.get(beside)) ??
        (await browser.newContext({
          colorScheme: theme,
          viewport: { width, height },
          reducedMotion: 'reduce',
        }));
      const page = await context.newPage();
      page.setDefaultTimeout(WAIT_MS);
      contexts.set(page, context);
      const heard: string[] = [];
      complaints.set(page, heard);
      page.on('pageerror', (error) => heard.push(`threw: ${error.stack ?? error.message}`));
      page.on('console', (message) => {
        if (/Content Security Policy|Refused to/.test(message.text())) heard.push(message.text());
      });
      return page;
    },
    close: () => browser.close(),
  };
}

/** Opens the console and signs in as a person would. `path` is below /console. */
export async function signIn(
  page: Page,
  apiUrl: string,
  person: Pick<Person, 'email' | 'password'>,
  path = '/',
): Promise<void> {
  await page.goto(`${apiUrl}/console${path}`);
  await page.getByLabel('E-mail').fill(person.email);
  await page.getByLabel('Password').fill(person.password);
  await page.getByRole('button', { name: 'Sign in' }).click();
  await page.getByRole('navigation', { name: 'Pages' }).waitFor();
}

/** What the page did that it must not. */
export function complaintsOf(page: Page): readonly string[] {
  return complaints.get(page) ?? [];
}
