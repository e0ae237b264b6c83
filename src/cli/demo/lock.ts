import { randomUUID } from 'node:crypto';
import { linkSync, mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import { z } from 'zod';
import { FloorwalkerError } from '../../errors.ts';

const ownerSchema = z.object({ pid: z.number().int().positive(), started: z.string() });

/**
 * Tells a process from a later one that was given the same id: the moment it was started, as the kernel counts it,
 * and the boot that is counted from. Empty where the kernel does not say.
 */
function startOf(pid: number): string {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
    // The second field is a name in parentheses, which may itself contain spaces; the start is field 22.
    const started = stat.slice(stat.lastIndexOf(')') + 2).split(' ')[19] ?? '';
    return `${readFileSync('/proc/sys/kernel/random/boot_id', 'utf8').trim()}/${started}`;
  } catch {
    return '';
  }
}

function isAlive({ pid, started }: z.output<typeof ownerSchema>): boolean {
  try {
    process.kill(pid, 0);
  } catch (error) {
    const code = error instanceof Error && 'code' in error ? error.code : undefined;
    if (code !== 'EPERM') return false;
  }
  return startOf(pid) === started;
}

function readOwner(path: string): z.output<typeof ownerSchema> | undefined {
  try {
    return ownerSchema.safeParse(JSON.parse(readFileSync(path, 'utf8'))).data;
  } catch {
    return undefined;
  }
}

/** Holds a data folder for one demo. */
export interface FolderLock {
  /** The demo that was killed and left its lock; undefined when there was none. */
  readonly predecessor: number | undefined;
  release(): void;
}

/**
 * Takes the folder, making it when it is not there. The lock of a demo that was killed is taken over.
 *
 * @throws FloorwalkerError `demo_running` and `data_folder_unusable`
 */
export function takeFolder(folder: string): FolderLock {
  const path = join(folder, 'demo.lock');
  try {
    mkdirSync(folder, { recursive: true });
    for (let predecessor: number | undefined; ; ) {
      if (tryTake(path)) return { predecessor, release: () => rmSync(path, { force: true }) };
      const owner = readOwner(path);
      if (owner && isAlive(owner)) {
        throw new FloorwalkerError(
          'demo_running',
          `A demo (process ${owner.pid}) already runs on ${resolve(folder)}.`,
          { remedy: 'Stop it with Ctrl-C, or choose another folder and port: --data DIR --port N.' },
        );
      }
      predecessor = owner?.pid ?? 0;
      // Only one of two that find it renames it; the other tries again and finds a living owner.
      const aside = `${path}.${randomUUID()}`;
      try {
        renameSync(path, aside);
        rmSync(aside);
      } catch {
        // Somebody else was faster.
      }
    }
  } catch (cause) {
    if (cause instanceof FloorwalkerError) throw cause;
    const reason = cause instanceof Error ? cause.message : String(cause);
    throw new FloorwalkerError('data_folder_unusable', `${resolve(folder)} can't be written: ${reason}`, {
      cause,
    });
  }
}

/** Linked when it is complete, so that nobody reads half an owner. */
function tryTake(path: string): boolean {
  const mine = `${path}.${randomUUID()}`;
  try {
    writeFileSync(mine, JSON.stringify({ pid: process.pid, started: startOf(process.pid) }));
    linkSync(mine, path);
    return true;
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'EEXIST') return false;
    throw error;
  } finally {
    rmSync(mine, { force: true });
  }
}

/** Tells the set-up that the packages of this checkout are in use and must not be replaced. */
export function markInUse(root: string): () => void {
  const path = join(root, '.cache', 'in-use', String(process.pid));
  try {
    mkdirSync(dirname(path), { recursive: true });
    writeFileSync(path, '');
  } catch {
    // A checkout that can't be written can't be set up anew either.
  }
  return () => rmSync(path, { force: true });
}
