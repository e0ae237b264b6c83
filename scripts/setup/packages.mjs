// The npm packages, Node 24 among them, and the launcher.
import { createHash } from 'node:crypto';
import {
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { run, SetupError, say, step } from './progress.mjs';

const STAMP = '.floorwalker-set-up';

function fingerprint(root) {
  const lockfile = join(root, 'package-lock.json');
  if (!existsSync(lockfile)) {
    throw new SetupError(`${lockfile} is missing.`, 'Restore it from the repository.');
  }
  const hash = createHash('sha256').update(readFileSync(lockfile));
  return hash.update(`${process.platform}-${process.arch}`).digest('hex');
}

/** True when npm's own record of what is installed has every package of the lockfile, as after a manual install. */
function matchesLockfile(root) {
  try {
    const wanted = JSON.parse(readFileSync(join(root, 'package-lock.json'), 'utf8')).packages;
    const present = JSON.parse(
      readFileSync(join(root, 'node_modules', '.package-lock.json'), 'utf8'),
    ).packages;
    return Object.entries(wanted).every(([path, entry]) => {
      if (path === '' || entry.link) return true;
      const installed = present[path];
      if (!installed) return entry.optional === true;
      return installed.version === entry.version && installed.integrity === entry.integrity;
    });
  } catch {
    return false;
  }
}

/** Demos that run from this folder would lose files they still load. They leave their process id here. */
function refuseWhileInUse(root) {
  const folder = join(root, '.cache', 'in-use');
  for (const name of existsSync(folder) ? readdirSync(folder) : []) {
    try {
      process.kill(Number(name), 0);
    } catch {
      rmSync(join(folder, name), { force: true });
      continue;
    }
    throw new SetupError(
      `the packages must be installed anew, and a running demo (process ${name}) uses the present ones.`,
      'Stop that demo with Ctrl-C and try again.',
    );
  }
}

function npm(args, root) {
  const env = {
    ...process.env,
    // Its install script would download libraries for graphics cards, several hundred megabytes.
    ONNXRUNTIME_NODE_INSTALL: 'skip',
  };
  const cli = process.env.npm_execpath;
  if (cli && /npm-cli\.c?js$/.test(cli)) return run(process.execPath, [cli, ...args], { cwd: root, env });
  return run('npm', args, { cwd: root, env });
}

function explain(output) {
  if (/ENOTFOUND|EAI_AGAIN|ECONNREFUSED|ETIMEDOUT|ECONNRESET|network/i.test(output)) {
    return 'npm could not reach its registry: check the network, or set the registry and proxy in ~/.npmrc.';
  }
  if (/EACCES|EPERM|EROFS/.test(output)) return 'Make this folder and ~/.npm writable for this user.';
  if (/ENOSPC/.test(output)) return 'Free some disk space; the packages need about 900 MB.';
  return 'Run "npm ci" here to see all it says.';
}

/** Installs what the lockfile says, unless that is what is there. */
export async function providePackages(root) {
  const modules = join(root, 'node_modules');
  const stamp = join(modules, STAMP);
  const wanted = fingerprint(root);
  if (existsSync(stamp) && readFileSync(stamp, 'utf8') === wanted) return;
  if (!matchesLockfile(root)) {
    refuseWhileInUse(root);
    await step('installing packages with npm ci (about a minute)', async () => {
      const { ok, output } = await npm(['ci', '--include=dev', '--no-audit', '--no-fund'], root);
      if (!ok) throw new SetupError(`npm ci failed:\n${output}`, explain(output));
    });
  }
  mkdirSync(modules, { recursive: true });
  writeFileSync(stamp, wanted);
}

/** Node 24 comes as an npm package; its install script may have been switched off. */
export async function provideNode(root) {
  const { dependencies = {} } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'));
  if (!dependencies.node) return;
  const works = async () => {
    const { ok, output } = await run(join(root, 'node_modules', '.bin', 'node'), ['--version']);
    return ok && output === `v${dependencies.node}`;
  };
  if (await works()) return;
  await step(`fetching Node ${dependencies.node}`, async () => {
    const { output } = await npm(['rebuild', 'node', '--foreground-scripts'], root);
    if (await works()) return;
    throw new SetupError(
      `Node ${dependencies.node} from the npm package "node" does not run.\n${output}`,
      'Remove node_modules and try again; npm must be allowed to run install scripts (ignore-scripts=false).',
    );
  });
}

/** Makes `npx floorwalker` work in this folder, as it does where the package is installed. */
export function linkLauncher(root) {
  const link = join(root, 'node_modules', '.bin', 'floorwalker');
  if (existsSync(link) || !existsSync(join(root, 'bin', 'floorwalker'))) return;
  try {
    mkdirSync(join(root, 'node_modules', '.bin'), { recursive: true });
    rmSync(link, { force: true });
    symlinkSync('../../bin/floorwalker', link);
  } catch (error) {
    say(`"npx floorwalker" will not work (${error.code}); "bin/floorwalker" does.`);
  }
}
