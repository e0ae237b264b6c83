import { execFile } from 'node:child_process';
import { readdir, readFile } from 'node:fs/promises';
import { setTimeout as wait } from 'node:timers/promises';
import { promisify } from 'node:util';

const run = promisify(execFile);
const LINUX = process.platform === 'linux';
/** The unit of `/proc/<pid>/stat`; 100 a second on every Linux that Node runs on. */
const TICK_MS = 10;

const QUIET_WINDOW_MS = 750;
const QUIET_CPU_MS = 90;
const QUIET_DEADLINE_MS = 30_000;
/** Memory rests when so many readings in a row differ by less than this part of it. */
const RESTING_READINGS = 4;
const RESTING_PART = 0.002;
const RESTING_WINDOW_MS = 3_000;
const RESTING_DEADLINE_MS = 60_000;

export interface Memory {
  readonly rssMb: number;
  /** Shared pages counted in part, so that a sum over processes is true; Linux alone knows it. */
  readonly pssMb: number | undefined;
}

async function read(path: string): Promise<string> {
  // A process may end between the listing and the look at it.
  return readFile(path, 'utf8').catch(() => '');
}

async function parents(): Promise<Map<number, number>> {
  if (!LINUX) {
    const { stdout } = await run('ps', ['-A', '-o', 'pid=,ppid=']);
    const rows = stdout.split('\n').map((line) => line.trim().split(/\s+/).map(Number));
    return new Map(rows.flatMap(([pid, parent]) => (pid && parent !== undefined ? [[pid, parent]] : [])));
  }
  const pids = (await readdir('/proc')).filter((name) => /^\d+$/.test(name));
  const rows = await Promise.all(
    pids.map(async (pid): Promise<[number, number]> => {
      const fields = statFields(await read(`/proc/${pid}/stat`));
      return [Number(pid), Number(fields[1] ?? -1)];
    }),
  );
  return new Map(rows);
}

/** State, parent and so on: what follows the program's name, which may itself hold blanks and brackets. */
function statFields(stat: string): string[] {
  return stat.slice(stat.lastIndexOf(')') + 2).split(' ');
}

/** Processes whose parent is this one. */
async function childrenOf(parent: number): Promise<number[]> {
  return [...(await parents())].flatMap(([pid, its]) => (its === parent ? [pid] : []));
}

/** Everything that a process has started, and what that has started. */
export async function descendantsOf(root: number): Promise<number[]> {
  const all = [...(await parents())];
  const below = (parent: number): number[] =>
    all.flatMap(([pid, its]) => (its === parent ? [pid, ...below(pid)] : []));
  return below(root);
}

/**
 * The processes of a worker that run a call or wait for one, those that hold its chats and its calls, where these share
 * some, and the one in which it runs shared models.
 */
export async function processesOf(worker: number): Promise<{
  jobs: number[];
  chats: number[];
  calls: number[];
  inference: number[];
}> {
  const pids = await childrenOf(worker);
  const commands = await Promise.all(
    pids.map(async (pid) => {
      if (LINUX) return read(`/proc/${pid}/cmdline`);
      const { stdout } = await run('ps', ['-o', 'command=', '-p', String(pid)]).catch(() => ({ stdout: '' }));
      return stdout;
    }),
  );
  const running = (script: RegExp) => pids.filter((_, index) => script.test(commands[index] ?? ''));
  return {
    jobs: running(/job_proc/),
    chats: running(/src\/host\.ts.chat/),
    calls: running(/src\/host\.ts.voice/),
    inference: running(/inference_proc/),
  };
}

/** Processor time since its start; 0 when it has ended. */
export async function cpuMs(pid: number): Promise<number> {
  if (!LINUX) {
    const { stdout } = await run('ps', ['-o', 'time=', '-p', String(pid)]).catch(() => ({ stdout: '' }));
    return stdout.split(':').reduce((sum, part) => sum * 60 + Number(part), 0) * 1_000;
  }
  const fields = statFields(await read(`/proc/${pid}/stat`));
  return (Number(fields[11] ?? 0) + Number(fields[12] ?? 0)) * TICK_MS;
}

/** Of its main thread alone, on which JavaScript runs; Linux alone knows it. */
export async function mainThreadMs(pid: number): Promise<number> {
  const fields = statFields(await read(`/proc/${pid}/task/${pid}/stat`));
  return (Number(fields[11] ?? 0) + Number(fields[12] ?? 0)) * TICK_MS;
}

export async function memoryOf(pid: number): Promise<Memory | undefined> {
  if (!LINUX) {
    const { stdout } = await run('ps', ['-o', 'rss=', '-p', String(pid)]).catch(() => ({ stdout: '' }));
    const kb = Number(stdout.trim());
    return kb > 0 ? { rssMb: kb / 1024, pssMb: undefined } : undefined;
  }
  const rollup = await read(`/proc/${pid}/smaps_rollup`);
  const mb = (field: string) => Number(new RegExp(`^${field}:\\s+(\\d+) kB`, 'm').exec(rollup)?.[1]) / 1024;
  return rollup === '' ? undefined : { rssMb: mb('Rss'), pssMb: mb('Pss') };
}

/**
 * Waits until a worker and its job processes have come to rest: what ended is gone, and what replaces it is
 * warm. False when they did not within half a minute; the next measurement is then one of a busy worker.
 */
export async function untilQuiet(worker: number): Promise<boolean> {
  const end = Date.now() + QUIET_DEADLINE_MS;
  let before = await usage(worker);
  let quiet = 0;
  while (Date.now() < end) {
    await wait(QUIET_WINDOW_MS);
    const now = await usage(worker);
    const spent = [...now].reduce((sum, [pid, ms]) => sum + ms - (before.get(pid) ?? 0), 0);
    const same = now.size === before.size && [...now.keys()].every((pid) => before.has(pid));
    quiet = same && spent < QUIET_CPU_MS ? quiet + 1 : 0;
    if (quiet === 2) return true;
    before = now;
  }
  return false;
}

/** Processor time of a process and of each of its children. */
async function usage(parent: number): Promise<Map<number, number>> {
  const pids = [parent, ...(await childrenOf(parent))];
  return new Map(
    await Promise.all(pids.map(async (pid): Promise<[number, number]> => [pid, await cpuMs(pid)])),
  );
}

/** A process and all that descend from it. */
async function familyOf(root: number): Promise<number[]> {
  const all = await parents();
  const family = new Set([root]);
  for (let size = 0; size !== family.size; ) {
    size = family.size;
    for (const [pid, parent] of all) if (family.has(parent)) family.add(pid);
  }
  return [...family];
}

/** What they weigh together; shared pages count once where Linux tells. */
export async function memoryOfAllMb(pids: readonly number[]): Promise<number> {
  const memories = await Promise.all(pids.map((pid) => memoryOf(pid)));
  return memories.reduce((sum, memory) => sum + (memory?.pssMb ?? memory?.rssMb ?? 0), 0);
}

/** A process and all that descend from it. */
export async function familyMemoryMb(root: number): Promise<number> {
  return memoryOfAllMb(await familyOf(root));
}

/**
 * What is weighed when it has come to rest: what a start or a burst leaves behind is collected some seconds later, and
 * pages are shared with whoever else has started. The last reading, when it never does.
 */
export async function restingMemoryMb(weigh: () => Promise<number>): Promise<number> {
  const end = Date.now() + RESTING_DEADLINE_MS;
  let last = await weigh();
  for (let same = 0; same < RESTING_READINGS && Date.now() < end; ) {
    await wait(RESTING_WINDOW_MS);
    const now = await weigh();
    same = Math.abs(now - last) < last * RESTING_PART ? same + 1 : 0;
    last = now;
  }
  return last;
}

/** Processor time of a process and of all that descend from it and still run. */
export async function familyCpuMs(root: number): Promise<number> {
  const times = await Promise.all((await familyOf(root)).map((pid) => cpuMs(pid)));
  return times.reduce((sum, ms) => sum + ms, 0);
}
