import { execFile } from 'node:child_process';
import { existsSync } from 'node:fs';
import { readdir, readFile } from 'node:fs/promises';

/**
 * Runs before the program, in its own process, which it then becomes: no core files, a bounded number of open
 * files, and first in line when the machine runs out of memory, so that the worker is not.
 */
const PRELUDE =
  'unset PWD OLDPWD; ulimit -c 0; ulimit -n 1024; echo 800 2>/dev/null >/proc/self/oom_score_adj; exec "$@"';
const MEMORY_LOOK_MS = 2_000;
const PAGE_BYTES = 4_096;
const NAMESPACE = ['unshare', '--user', '--map-current-user', '--'];

export interface LimitedCommand {
  readonly command: string;
  readonly args: readonly string[];
  /** It can't read the worker's environment and memory: it has another user, or a user namespace of its own. */
  readonly isShielded: boolean;
}

/**
 * The command with its limits. In a user namespace of its own a process may not read the memory or the environment
 * of the worker, though it has the same user; where the system allows none, `runAs` is the way.
 */
export async function withLimits(
  command: string,
  args: readonly string[],
  options: { ownUser: boolean },
): Promise<LimitedCommand> {
  const hasNamespace = !options.ownUser && (await namespaceWorks());
  const before = hasNamespace ? NAMESPACE : [];
  return {
    command: '/bin/sh',
    args: ['-c', PRELUDE, 'limits', ...before, command, ...args],
    isShielded: options.ownUser || hasNamespace,
  };
}

let probe: Promise<boolean> | undefined;

/** Whether this system lets us make user namespaces: a fact of the machine, so one answer for the process. */
export function namespaceWorks(): Promise<boolean> {
  probe ??= new Promise((resolve) => {
    const [command = '', ...args] = NAMESPACE;
    execFile(command, [...args, 'true'], { timeout: 5_000 }, (error) => resolve(error === null));
  });
  return probe;
}

/** Calls `onTooMuch` once when the process group takes more memory than it may. @returns how to stop looking */
export function watchMemory(groupId: number, maxBytes: number, onTooMuch: () => void): () => void {
  if (!existsSync('/proc/self/statm')) return () => undefined;
  const timer = setInterval(() => {
    void residentBytes(groupId).then((bytes) => {
      if (bytes <= maxBytes) return;
      clearInterval(timer);
      onTooMuch();
    });
  }, MEMORY_LOOK_MS).unref();
  return () => clearInterval(timer);
}

/** Of the process and its children; grandchildren are found through theirs. */
async function residentBytes(pid: number, depth = 0): Promise<number> {
  const [statm, children] = await Promise.all([
    readFile(`/proc/${pid}/statm`, 'utf8').catch(() => ''),
    childrenOf(pid),
  ]);
  const own = Number(statm.split(' ')[1] ?? 0) * PAGE_BYTES;
  if (depth >= 3) return own;
  const below = await Promise.all(children.map((child) => residentBytes(child, depth + 1)));
  return below.reduce((sum, bytes) => sum + bytes, own);
}

async function childrenOf(pid: number): Promise<number[]> {
  const tasks = await readdir(`/proc/${pid}/task`).catch(() => []);
  const lists = await Promise.all(
    tasks.map((task) => readFile(`/proc/${pid}/task/${task}/children`, 'utf8').catch(() => '')),
  );
  return lists.flatMap((list) => list.split(' ').flatMap((text) => (text.trim() ? [Number(text)] : [])));
}
