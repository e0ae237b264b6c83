import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as wait } from 'node:timers/promises';
import { z } from 'zod';
import { SOUND_DB } from '../../src/embedded/rehearsal/caller/caller.ts';
import type { Agent } from '../../test/support/fixtures.ts';
import type { Measurements } from '../measurements.ts';
import type { BenchOptions } from '../options.ts';
import { cpuMs, mainThreadMs, processesOf } from '../processes.ts';
import type { Stack, Visit } from '../stack.ts';
import { answered } from './voice.ts';

/** Calls that are open at once. */
const SIZES = [1, 2, 3, 5, 8, 12, 16, 24];
const EXECUTIONS = ['shared', 'isolated'] as const;
type Execution = (typeof EXECUTIONS)[number];
/** The same words of everybody: what differs is how many there are. */
const QUESTION = 'Where is my order?';
const QUIET_MS = 1_000;
/** What joining and making processes ready leaves behind. */
const SETTLES_MS = 6_000;
const DEADLINE_MS = 30_000;
const MINUTE_MS = 60_000;
const FRAME_MS = 20;
const PROBE = new URL('../loop-probe.ts', import.meta.url);

const delaySchema = z.object({ at: z.number(), p99: z.number(), worst: z.number() });

/** The processes in which calls are computed, and those that compute for them. */
async function callProcesses(stack: Stack, execution: Execution): Promise<number[]> {
  const { jobs, calls, inference } = await processesOf(stack.workerPid);
  return execution === 'shared' ? calls : [...jobs, ...inference];
}

async function used(pids: readonly number[]): Promise<Map<number, { all: number; main: number }>> {
  const of = async (pid: number) => ({ all: await cpuMs(pid), main: await mainThreadMs(pid) });
  return new Map(await Promise.all(pids.map(async (pid) => [pid, await of(pid)] as const)));
}

/** Asks, hears the answer to its end, and again until the time is over. */
async function talk({ customer }: Visit, until: number, what: string, results: Measurements): Promise<void> {
  while (Date.now() < until) {
    await customer.waitForQuiet(QUIET_MS, { deadlineMs: DEADLINE_MS });
    const began = Date.now();
    const { endedAt } = await customer.say(QUESTION);
    const soundAt = await customer.waitForSound(began, { deadlineMs: DEADLINE_MS });
    // What was to be heard before comes now: the answers of a process that can't keep up have no time of their own.
    const inTime = soundAt >= endedAt;
    results.add('sizes', `${what}: answered in its turn`, inTime ? 100 : 0, '%');
    if (!inTime) continue;
    results.add('sizes', `${what}: last word to first sound`, soundAt - endedAt);
    const silentAt = await customer.waitForQuiet(QUIET_MS, { deadlineMs: DEADLINE_MS });
    const answer = customer.sounds.filter(({ at }) => at >= soundAt && at <= silentAt);
    const silent = answer.filter(({ levelDb }) => levelDb <= SOUND_DB).length;
    results.add('sizes', `${what}: silent within the answer`, silent * FRAME_MS);
  }
}

/** How late the event loops of these processes were, by the second. */
async function delays(folder: string, pids: readonly number[], from: number) {
  const files = await Promise.all(
    pids.map((pid) => readFile(join(folder, String(pid)), 'utf8').catch(() => '')),
  );
  const told = files.flatMap((file) => file.split('\n').filter((line) => line !== ''));
  return told.map((line) => delaySchema.parse(JSON.parse(line))).filter(({ at }) => at >= from);
}

async function measure(
  stack: Stack,
  execution: Execution,
  options: BenchOptions,
  folder: string,
  results: Measurements,
): Promise<void> {
  const most = String(options.together * 2);
  await stack.stopWorker();
  await stack.startWorker({
    WORKER_VOICE_EXECUTION: execution,
    // More than are opened, so that none is started ahead of time while they are looked at.
    WORKER_CALLS_PER_PROCESS: most,
    WORKER_MAX_INTERACTIONS: most,
    NODE_OPTIONS: `--import ${PROBE.href}?folder=${encodeURIComponent(folder)}`,
  });
  await stack.rest();
  const agent: Agent = await stack.createAgent({ agentType: 'voice', maxConcurrentInteractions: 1_000 });
  const visits: Visit[] = [];
  try {
    for (const size of SIZES.filter((known) => known <= options.together)) {
      results.tell(`sizes: ${size} ${execution}`);
      while (visits.length < size) {
        const visit = await stack.join(agent);
        visits.push(visit);
        await answered(visit);
        await visit.customer.prepare(QUESTION);
      }
      await wait(SETTLES_MS);
      const what = `${execution}, ${size} ${size === 1 ? 'call' : 'calls'}`;
      const pids = await callProcesses(stack, execution);
      const before = await used(pids);
      const from = Date.now();
      const lengthMs = options.window * 1_000;
      await Promise.all(
        visits.map(async (visit, place) => {
          await wait((place / size) * Math.min(4_000, lengthMs / 2));
          await talk(visit, from + lengthMs, what, results);
        }),
      );
      const lastedMs = Date.now() - from;
      const after = await used(pids);
      const spent = pids.map((pid) => ({
        all: (after.get(pid)?.all ?? 0) - (before.get(pid)?.all ?? 0),
        main: (after.get(pid)?.main ?? 0) - (before.get(pid)?.main ?? 0),
      }));
      const allMs = spent.reduce((sum, { all }) => sum + all, 0);
      results.add(
        'sizes',
        `${what}: processor time a call-minute`,
        allMs / 1_000 / size / (lastedMs / MINUTE_MS),
        's',
      );
      const mainMs = Math.max(...spent.map(({ main }) => main));
      results.add(
        'sizes',
        `${what}: a core's time of the busiest main thread`,
        (mainMs / lastedMs) * 100,
        '%',
      );
      // Those that wait for a call have nothing that could come late.
      const busy = pids.filter((_, nth) => (spent[nth]?.main ?? 0) > mainMs / 4);
      for (const { p99, worst } of await delays(folder, busy, from)) {
        results.add('sizes', `${what}: event loop late, p99 of a second`, p99);
        results.add('sizes', `${what}: event loop late, worst of a second`, worst);
      }
    }
  } finally {
    for (const visit of visits) await stack.end(agent, visit, { rest: false }).catch(() => {});
    await stack.rest();
  }
}

/** Calls that share a process beside as many with one each: where answers become later, and what a call costs. */
export async function measureSizes(
  stack: Stack,
  options: BenchOptions,
  results: Measurements,
): Promise<void> {
  const folder = await mkdtemp(join(tmpdir(), 'floorwalker-bench-loops-'));
  try {
    for (const execution of EXECUTIONS) {
      await results.attempt('sizes', () => measure(stack, execution, options, folder, results));
    }
  } finally {
    await stack.stopWorker();
    await stack.startWorker();
    await rm(folder, { recursive: true, force: true });
  }
}
