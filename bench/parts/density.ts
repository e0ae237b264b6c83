import { Bare, type Begun } from '../bare/contestant.ts';
import { type Measurements, percentile } from '../measurements.ts';
import type { BenchOptions } from '../options.ts';
import { familyMemoryMb, memoryOfAllMb, processesOf, restingMemoryMb, untilQuiet } from '../processes.ts';
import type { Stack } from '../stack.ts';
import { measureTurn, toldEverything } from './chat.ts';

const FIRST_REPLY_MS = 120_000;
/** What the tuned framework keeps warm: more would only move the memory from a chat to waiting for one. */
const TUNED_IDLE = 4;
/** In this many of the chats that are open at once somebody writes, one after the other. */
const TALKING = 3;

interface Contestant {
  readonly name: string;
  /** The process whose children, and itself, hold the chats. */
  readonly pid: number;
  /** What can hold chats, and the worker. */
  weigh(): Promise<number>;
  begin(): Promise<Begun>;
  end(chats: readonly Begun[]): Promise<void>;
}

const OURS = 'floorwalker';
const DEFAULTS = 'bare framework';
const TUNED = 'bare framework, tuned';

/** What is compared, and what it should be: so many times better than the framework at its defaults. */
const firstMedian = (count: number) => `first reply, median of ${count} at once`;
const firstWorst = (count: number) => `first reply, worst of ${count} at once`;
const MEMORY = 'memory per idle chat';
/** Worker and processes of chats with all chats in them; what no chat needs is in it. */
const MEMORY_IN_ALL = 'memory with all chats';
/** As little as this can't be told from what a heap takes and gives by itself. */
const LEAST_MB = 1;
const TURN = 'turn: message to first word';
const TURN_COMPLETE = 'turn: message to complete';

/** How long each customer waited for the first words, what all chats weigh when nothing moves, and some turns. */
async function burst(
  stack: Stack,
  contestant: Contestant,
  options: BenchOptions,
  results: Measurements,
): Promise<void> {
  const { name, pid } = contestant;
  const { burst: count, turns } = options;
  results.tell(`${name}: ${count} chats at once`);
  await untilQuiet(pid);
  const emptyMb = await restingMemoryMb(contestant.weigh);
  const began = await Promise.allSettled(Array.from({ length: count }, () => contestant.begin()));
  const chats = began.flatMap((each) => (each.status === 'fulfilled' ? [each.value] : []));
  try {
    const waits = await Promise.all(
      chats.map(async ({ customer, askedAt }) => {
        const first = await customer.waitFor(() => customer.texts.find(({ role }) => role === 'agent'), {
          what: 'the first words',
          deadlineMs: FIRST_REPLY_MS,
        });
        return first.at - askedAt;
      }),
    );
    const failed = count - waits.length;
    if (failed > 0) throw new Error(`${failed} of ${count} chats of ${name} could not begin`);
    results.add('density', `${name}: ${firstMedian(count)}`, percentile(waits, 0.5));
    results.add('density', `${name}: ${firstWorst(count)}`, Math.max(...waits));
    await untilQuiet(pid);
    const fullMb = await restingMemoryMb(contestant.weigh);
    results.add('density', `${name}: ${MEMORY}`, (fullMb - emptyMb) / count, 'MB');
    results.add('density', `${name}: ${MEMORY_IN_ALL}`, fullMb, 'MB');
    for (const { customer } of chats.slice(0, TALKING)) {
      await toldEverything(customer);
      for (let turn = 1; turn <= turns; turn += 1) {
        const took = await measureTurn(stack, customer, `Question ${turn}: where is my order?`);
        // The first one loads and warms what every later one finds.
        if (turn === 1 && turns > 1) continue;
        results.add('density', `${name}: ${TURN}`, took.firstMs);
        results.add('density', `${name}: ${TURN_COMPLETE}`, took.completeMs);
      }
    }
  } finally {
    await contestant.end(chats);
  }
}

/**
 * Chats that begin together, then say nothing, then a little: this project and the bare framework in turn, at its
 * defaults and with what its options allow. Its worker is started anew for each round, as each leaves processes behind.
 */
export async function measureDensity(
  stack: Stack,
  options: BenchOptions,
  results: Measurements,
): Promise<void> {
  const agent = await stack.createAgent({ maxConcurrentInteractions: 1_000 });
  const ours = (): Contestant => ({
    name: OURS,
    pid: stack.workerPid,
    // Without the processes that are kept for calls: what they collect meanwhile is no chat's.
    async weigh() {
      const { chats } = await processesOf(stack.workerPid);
      return memoryOfAllMb([stack.workerPid, ...chats]);
    },
    begin: () => stack.join(agent),
    async end(chats) {
      for (const { customer } of chats) await customer.leave();
      await stack.endAll();
    },
  });
  const others = [{ name: DEFAULTS }, { name: TUNED, tunedIdle: TUNED_IDLE }];
  await results.repeat('density', options.bursts, async () => {
    // Also ours is started anew, so that all of them meet their first chats.
    await stack.stopWorker();
    await stack.startWorker();
    await burst(stack, ours(), options, results);
    // Its idle processes have no part in the others' figures.
    await stack.stopWorker();
    try {
      for (const { name, ...tuning } of others) {
        const bare = await Bare.start(stack.bareServers, { channel: 'chat', ...tuning });
        try {
          const contestant: Contestant = {
            name,
            pid: bare.pid,
            weigh: () => familyMemoryMb(bare.pid),
            begin: () => bare.begin(),
            end: (chats) => bare.end(chats),
          };
          await results.attempt('density', () => burst(stack, contestant, options, results));
        } finally {
          await bare.stop();
        }
      }
    } finally {
      await stack.startWorker();
    }
  });
  compare(options.burst, results);
}

/** How many times less than each of the others, and how much longer a turn takes. */
function compare(count: number, results: Measurements): void {
  const median = (name: string): number => {
    const series = results.series.find((known) => known.part === 'density' && known.name === name);
    return percentile(series?.values ?? [], 0.5);
  };
  for (const name of [DEFAULTS, TUNED]) {
    for (const what of [MEMORY, MEMORY_IN_ALL, firstMedian(count), firstWorst(count)]) {
      const own = median(`${OURS}: ${what}`);
      const ratio = median(`${name}: ${what}`) / (what === MEMORY ? Math.max(LEAST_MB, own) : own);
      if (!Number.isNaN(ratio)) results.add('density', `${name} / ${OURS}: ${what}`, ratio, 'x');
    }
    for (const what of [TURN, TURN_COMPLETE]) {
      const more = median(`${OURS}: ${what}`) - median(`${name}: ${what}`);
      if (!Number.isNaN(more)) results.add('density', `${OURS} − ${name}: ${what}`, more);
    }
  }
}
