// Brings everything that "npm run demo" and "npm test" need. npm runs it before them, on whatever Node is
// installed and before any package is, so it stands on Node's built-ins alone.
import { mkdirSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { provideChromium } from './setup/chromium.mjs';
import { provideLiveKit } from './setup/livekit.mjs';
import { withLock } from './setup/lock.mjs';
import { linkLauncher, provideNode, providePackages } from './setup/packages.mjs';
import { providePages } from './setup/pages.mjs';
import { finish, SetupError, say } from './setup/progress.mjs';

const root = dirname(dirname(fileURLToPath(import.meta.url)));

function checkNode() {
  const major = Number(process.versions.node.split('.')[0]);
  if (major < 20) {
    throw new SetupError(`Node ${process.versions.node} is too old.`, 'Install Node 20 or newer.');
  }
  if (process.platform === 'win32') {
    throw new SetupError('Windows is not supported.', 'Use WSL 2 (https://learn.microsoft.com/windows/wsl).');
  }
}

async function setUp() {
  checkNode();
  const own = join(root, '.cache');
  mkdirSync(own, { recursive: true });
  await withLock(join(own, 'setup.lock'), async () => {
    await providePackages(root);
    await provideNode(root);
    linkLauncher(root);
    await providePages(root);
  });
  await provideLiveKit(process.env);
  if (process.argv.includes('--browser')) await provideChromium(process.env);
}

try {
  await setUp();
  finish();
} catch (error) {
  if (!(error instanceof SetupError)) throw error;
  say(`failed: ${error.message}`);
  if (error.remedy) say(`remedy: ${error.remedy}`);
  process.exitCode = 1;
}
