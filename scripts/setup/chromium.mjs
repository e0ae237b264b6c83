// Finds a Chromium for the browser tests, or installs one where that takes nothing but apt-get.
// `test/support/browser.ts` looks in the same places in the same order.
import { existsSync } from 'node:fs';
import { delimiter, isAbsolute, join } from 'node:path';
import { run, say, step } from './progress.mjs';

const NAMES = ['chromium', 'chromium-browser', 'google-chrome', 'google-chrome-stable'];
const ELSEWHERE = ['/usr/bin/chromium', '/Applications/Google Chrome.app/Contents/MacOS/Google Chrome'];
const REMEDY =
  'Install Chromium or Chrome, or name one with CHROMIUM_BIN; the tests in test/browser need it.';

function find(env) {
  if (env.CHROMIUM_BIN) return env.CHROMIUM_BIN;
  const folders = (env.PATH ?? '').split(delimiter).filter(isAbsolute);
  const candidates = [...folders.flatMap((folder) => NAMES.map((name) => join(folder, name))), ...ELSEWHERE];
  return candidates.find((path) => existsSync(path));
}

/**
 * Never an error: without a browser all other tests still run, and those that need one say so.
 * @param {NodeJS.ProcessEnv} env
 */
export async function provideChromium(env) {
  if (find(env)) return;
  if (process.getuid?.() !== 0 || !existsSync('/usr/bin/apt-get')) {
    say(`no Chromium was found. ${REMEDY}`);
    return;
  }
  const apt = (...args) =>
    run('apt-get', args, { env: { ...env, DEBIAN_FRONTEND: 'noninteractive' }, timeoutMs: 10 * 60_000 });
  await step('installing Chromium for the browser tests with apt-get', async () => {
    await apt('update');
    const { ok, output } = await apt('install', '-y', '--no-install-recommends', 'chromium');
    if (!ok) say(`apt-get could not install it. ${REMEDY}\n${output.slice(-1_000)}`);
  });
}
