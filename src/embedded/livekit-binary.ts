import { execFile } from 'node:child_process';
import { constants } from 'node:fs';
import { access } from 'node:fs/promises';
import { homedir } from 'node:os';
import { delimiter, isAbsolute, join, resolve } from 'node:path';
import { promisify } from 'node:util';
import { FloorwalkerError } from '../errors.ts';

const run = promisify(execFile);

/** The release that the project is tested with; `scripts/setup.mjs` brings this one. */
export const LIVEKIT_VERSION = '1.13.5';

export interface LiveKitBinary {
  readonly path: string;
  readonly foundIn: 'LIVEKIT_SERVER_BIN' | 'PATH' | 'cache';
}

type Environment = Readonly<Record<string, string | undefined>>;

/** The folder the set-up keeps what it fetched in; the same rule is in `scripts/setup.mjs`. */
export function cacheFolder(env: Environment): string {
  if (env.FLOORWALKER_CACHE_DIR) return resolve(env.FLOORWALKER_CACHE_DIR);
  return join(env.XDG_CACHE_HOME || join(env.HOME || homedir(), '.cache'), 'floorwalker');
}

async function isProgram(path: string): Promise<boolean> {
  try {
    await access(path, constants.X_OK);
    await run(path, ['--version'], { timeout: 10_000 });
    return true;
  } catch {
    return false;
  }
}

/**
 * Looks where the set-up looks, and fetches nothing.
 *
 * @throws FloorwalkerError `embedded_start_failed` when LIVEKIT_SERVER_BIN names something that can't be run.
 */
export async function findLiveKitServer(env: Environment): Promise<LiveKitBinary | undefined> {
  const named = env.LIVEKIT_SERVER_BIN;
  if (named) {
    if (await isProgram(resolve(named))) return { path: resolve(named), foundIn: 'LIVEKIT_SERVER_BIN' };
    throw new FloorwalkerError('embedded_start_failed', `LIVEKIT_SERVER_BIN=${named} can't be run`, {
      remedy: 'Correct it, or unset it to let the set-up find a livekit-server.',
    });
  }
  for (const folder of (env.PATH ?? '').split(delimiter).filter(isAbsolute)) {
    const path = join(folder, 'livekit-server');
    if (await isProgram(path)) return { path, foundIn: 'PATH' };
  }
  const path = join(cacheFolder(env), `livekit-server-${LIVEKIT_VERSION}`, 'livekit-server');
  return (await isProgram(path)) ? { path, foundIn: 'cache' } : undefined;
}
