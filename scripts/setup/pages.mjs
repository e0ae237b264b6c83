// The pages that the API serves (console, customer page, widget), built when their sources have changed.
import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { run, SetupError, step } from './progress.mjs';

/** What the built pages depend on; a path may be missing. */
const SOURCES = [
  'src/console',
  'src/customer-page',
  'src/domain',
  'vite.config.ts',
  'scripts/build-pages.mjs',
  'package-lock.json',
];

function filesOf(root) {
  return SOURCES.filter((path) => existsSync(join(root, path)))
    .flatMap((path) => {
      if (/\.\w+$/.test(path)) return [path];
      const entries = readdirSync(join(root, path), { recursive: true, withFileTypes: true });
      return entries
        .filter((entry) => entry.isFile())
        .map((entry) => join(entry.parentPath ?? entry.path, entry.name).slice(root.length + 1));
    })
    .sort();
}

function fingerprint(root) {
  const hash = createHash('sha256');
  for (const path of filesOf(root))
    hash
      .update(path)
      .update('\0')
      .update(readFileSync(join(root, path)));
  return hash.digest('hex');
}

/** @param {string} root */
export async function providePages(root) {
  if (!existsSync(join(root, 'vite.config.ts'))) return;
  const stamp = join(root, 'dist', 'pages', '.built-from');
  const wanted = fingerprint(root);
  if (existsSync(stamp) && readFileSync(stamp, 'utf8') === wanted) return;
  await step('building the pages', async () => {
    // The project's own Node: the configuration is TypeScript, which older ones do not load.
    const node = join(root, 'node_modules', '.bin', 'node');
    const { ok, output } = await run(node, [join(root, 'scripts', 'build-pages.mjs')], { cwd: root });
    if (!ok) throw new SetupError(`the pages can't be built:\n${output}`, 'Run "npm run build:pages" here.');
  });
  mkdirSync(dirname(stamp), { recursive: true });
  writeFileSync(stamp, wanted);
}
