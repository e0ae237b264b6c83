// A lock between processes: a file that names its owner. One whose owner is gone is taken over.
import { randomUUID } from 'node:crypto';
import { linkSync, readFileSync, renameSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { setTimeout as delay } from 'node:timers/promises';
import { SetupError, say } from './progress.mjs';

const GIVE_UP_MS = 15 * 60_000;

function ownerOf(path) {
  try {
    return Number(readFileSync(path, 'utf8').split(' ')[0]);
  } catch {
    return undefined;
  }
}

function isAlive(pid) {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return error.code === 'EPERM';
  }
}

/** Complete from its first moment, because it is written elsewhere and linked here: nobody reads half a name. */
function tryTake(path) {
  const mine = `${path}.${randomUUID()}`;
  try {
    writeFileSync(mine, `${process.pid} ${new Date().toISOString()}\n`);
    linkSync(mine, path);
    return true;
  } catch (error) {
    if (error.code === 'EEXIST') return false;
    if (error.code === 'EACCES' || error.code === 'EROFS' || error.code === 'EPERM') {
      throw new SetupError(
        `${path} can't be written (${error.code}).`,
        'Make that folder writable for this user.',
      );
    }
    throw error;
  } finally {
    rmSync(mine, { force: true });
  }
}

/** Two may find the same dead owner; renaming lets only one of them remove that very file. */
function removeDead(path, pid) {
  const aside = `${path}.${randomUUID()}`;
  try {
    const before = statSync(path).ino;
    renameSync(path, aside);
    if (statSync(aside).ino !== before || ownerOf(aside) !== pid) linkSync(aside, path);
  } catch {
    // Somebody else was faster.
  } finally {
    rmSync(aside, { force: true });
  }
}

/**
 * Does the work while no other process does work under the same lock.
 * @template T @param {string} path @param {() => Promise<T>} work @returns {Promise<T>}
 */
export async function withLock(path, work) {
  const since = Date.now();
  let told = false;
  while (!tryTake(path)) {
    const pid = ownerOf(path);
    if (pid !== undefined && !isAlive(pid)) {
      removeDead(path, pid);
      continue;
    }
    if (pid !== undefined && !told) {
      say(`waiting for another set-up (process ${pid})`);
      told = true;
    }
    if (Date.now() - since > GIVE_UP_MS) {
      throw new SetupError(`another set-up (process ${pid}) does not end.`, `Stop it, or remove ${path}.`);
    }
    await delay(200);
  }
  try {
    return await work();
  } finally {
    if (ownerOf(path) === process.pid) rmSync(path, { force: true });
  }
}
