// Finds livekit-server, or brings it: LIVEKIT_SERVER_BIN, PATH, our cache, the official release, go install.
// `src/embedded/livekit-binary.ts` looks in the first three of these places in the same order.
import { randomUUID } from 'node:crypto';
import { chmodSync, existsSync, mkdirSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { homedir } from 'node:os';
import { delimiter, isAbsolute, join, resolve } from 'node:path';
import { withLock } from './lock.mjs';
import { run, SetupError, say, step } from './progress.mjs';
import { downloadRelease } from './release.mjs';

export const LIVEKIT_VERSION = '1.13.5';
const MODULE = 'github.com/livekit/livekit-server/cmd/server';

function cacheFolder(env) {
  if (env.FLOORWALKER_CACHE_DIR) return resolve(env.FLOORWALKER_CACHE_DIR);
  return join(env.XDG_CACHE_HOME || join(env.HOME || homedir(), '.cache'), 'floorwalker');
}

/** What `--version` says, or undefined when it can't be run. */
async function versionOf(path) {
  const { ok, output } = await run(path, ['--version'], { timeoutMs: 10_000 });
  return ok ? (/\d+\.\d+\.\d+\S*/.exec(output)?.[0] ?? 'of unknown version') : undefined;
}

function onPath(program, env) {
  const folders = (env.PATH ?? '').split(delimiter).filter(isAbsolute);
  return folders.map((folder) => join(folder, program)).filter((path) => existsSync(path));
}

async function findInstalled(env, cached) {
  const named = env.LIVEKIT_SERVER_BIN;
  if (named) {
    const version = await versionOf(resolve(named));
    if (version) return { path: resolve(named), version, where: 'LIVEKIT_SERVER_BIN' };
    throw new SetupError(
      `LIVEKIT_SERVER_BIN=${named} can't be run.`,
      'Correct it, or unset it to let the set-up find a livekit-server.',
    );
  }
  for (const path of onPath('livekit-server', env)) {
    const version = await versionOf(path);
    if (version) return { path, version, where: 'PATH' };
  }
  const version = existsSync(cached) ? await versionOf(cached) : undefined;
  return version ? { path: cached, version, where: 'cache' } : undefined;
}

/** Puts a program into the cache in one move, and only one that runs. */
async function keep(program, cached) {
  const version = await versionOf(program);
  if (!version) throw new Error('it does not run on this machine');
  mkdirSync(resolve(cached, '..'), { recursive: true });
  renameSync(program, cached);
  return version;
}

async function fromRelease(env, work, cached) {
  const fetched = await step(`fetching livekit-server ${LIVEKIT_VERSION} from its official release`, () =>
    downloadRelease(env, LIVEKIT_VERSION),
  );
  const program = join(work, 'livekit-server');
  writeFileSync(program, fetched.program);
  chmodSync(program, 0o755);
  const version = await keep(program, cached);
  return {
    path: cached,
    version,
    where: `official release, checksum ${fetched.sha256.slice(0, 12)}… verified`,
  };
}

async function fromGo(env, work, cached) {
  const [go] = onPath('go', env);
  if (!go) throw new Error('Go is not installed');
  await step(`building livekit-server ${LIVEKIT_VERSION} with ${go} (about two minutes)`, async () => {
    const { ok, output } = await run(go, ['install', '-ldflags=-s -w', `${MODULE}@v${LIVEKIT_VERSION}`], {
      cwd: work,
      env: { ...env, GOBIN: work, GOFLAGS: '', CGO_ENABLED: env.CGO_ENABLED ?? '0' },
      timeoutMs: 20 * 60_000,
    });
    if (!ok) throw new Error(`go install failed:\n${output.slice(-2_000)}`);
  });
  const version = await keep(join(work, 'server'), cached);
  return { path: cached, version, where: "go install, checked by Go's checksum database" };
}

async function bring(env, folder, cached) {
  const failures = [];
  for (const [name, source] of [
    ['official release', fromRelease],
    ['go install', fromGo],
  ]) {
    const work = join(folder, `work-${randomUUID()}`);
    mkdirSync(work, { recursive: true });
    try {
      return await source(env, work, cached);
    } catch (error) {
      say(`${name}: ${error.message}`);
      failures.push(`${name}: ${error.message.split('\n')[0]}`);
    } finally {
      rmSync(work, { recursive: true, force: true });
    }
  }
  throw new SetupError(
    `no livekit-server (${failures.join('; ')}).`,
    `Install livekit-server ${LIVEKIT_VERSION} (https://docs.livekit.io/home/self-hosting/local/; on macOS "brew install livekit") or Go, or name one with LIVEKIT_SERVER_BIN.`,
  );
}

/** @param {NodeJS.ProcessEnv} env */
export async function provideLiveKit(env) {
  const folder = cacheFolder(env);
  const cached = join(folder, `livekit-server-${LIVEKIT_VERSION}`, 'livekit-server');
  let found = await findInstalled(env, cached);
  if (!found) {
    try {
      mkdirSync(folder, { recursive: true });
    } catch (error) {
      throw new SetupError(
        `the cache folder ${folder} can't be made (${error.code}).`,
        'Name another with FLOORWALKER_CACHE_DIR.',
      );
    }
    found = await withLock(
      join(folder, 'livekit.lock'),
      async () => (await findInstalled(env, cached)) ?? (await bring(env, folder, cached)),
    );
  }
  say(`using livekit-server ${found.version}: ${found.path} (${found.where})`);
  return found;
}
