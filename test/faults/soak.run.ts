import { afterAll, beforeAll, expect, test } from 'vitest';
import { z } from 'zod';
import { type AuditTotals, audit } from './support/audit.ts';
import { hasRead } from './support/screen.ts';
import { type Death, deathsOf, type Turn, turnsOf } from './support/soak-plan.ts';
import type { WorkerProcess } from './support/worker-process.ts';
import { setupWorld, type Visit, type World } from './support/world.ts';

const planSchema = z.object({
  minutes: z.number(),
  seed: z.number(),
  customers: z.number(),
  workers: z.number(),
});
const plan = planSchema.parse(
  JSON.parse(process.env.SOAK ?? '{"minutes":1,"seed":1,"customers":4,"workers":2}'),
);
/** A customer who waits longer than this for an answer is stuck. */
const STUCK_MS = 90_000;

const say = (line: string): void => void process.stderr.write(`soak: ${line}\n`);
const pause = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));

interface Going {
  readonly visit: Visit;
  deaths: number;
  /** When what carried it last died or drained, until the next answer. */
  hit: { readonly at: number; readonly kind: string } | undefined;
}

let world: World;
const going = new Set<Going>();
const problems: string[] = [];
const totals: AuditTotals = { messages: 0, answers: 0, toolRuns: 0, unknownCalls: 0 };
const kills = new Map<string, number>();
/** Deaths that have begun, and those of them that are over. */
const died = { begun: 0, over: 0 };
const gaps = new Map<string, number[]>();
let conversations = 0;

beforeAll(async () => {
  say(`seed ${plan.seed}, ${plan.minutes} minutes, ${plan.customers} customers, ${plan.workers} workers`);
  // The figures of production for leases; short only where a person would be waited for.
  world = await setupWorld({
    workers: plan.workers,
    figures: { leaseMs: 8_000, heartbeatMs: 2_000, pollMs: 500, permissionTimeoutMs: 60_000, drainMs: 1_000 },
  });
  places.push(...world.workers);
  for (const { atMs, kind, worker } of deathsOf(plan))
    say(`at ${Math.round(atMs / 1_000)} s: ${kind} of worker ${worker}`);
}, 180_000);
afterAll(() => world?.stop(), 60_000);

async function converse(customer: number, nth: number): Promise<void> {
  // Nobody knows yet who carries it: whatever dies while it begins may have.
  const overBefore = died.over;
  const visit = await world.visit();
  const mine: Going = { visit, deaths: died.begun - overBefore, hit: undefined };
  going.add(mine);
  try {
    for (const [index, turn] of turnsOf(plan.seed, customer, nth).entries()) {
      await takeTurn(mine, turn, `s${customer}_${nth}_${index}`);
    }
    await world.close(visit);
    going.delete(mine);
    problems.push(...(await audit(world, visit, mine.deaths, totals)));
    conversations += 1;
  } finally {
    going.delete(mine);
  }
}

async function takeTurn(mine: Going, turn: Turn, order: string): Promise<void> {
  const { visit } = mine;
  const question = turn.slow ? 'slowly, as people read,' : 'question';
  const words = `${turn.tool ?? question} ${order}`;
  const sentAt = Date.now();
  await visit.say(words);
  const decided =
    turn.tool === 'refund'
      ? pause(turn.decideAfterMs).then(() => world.decide(visit, order, turn.decision))
      : Promise.resolve();
  await visit.customer.waitFor(() => hasRead(visit.customer, words), {
    deadlineMs: STUCK_MS,
    what: `an answer to "${words}" of ${visit.id}`,
  });
  await decided;
  if (mine.hit) {
    const { at, kind } = mine.hit;
    // What the customer does meanwhile is not the runtime's time; nor is a supervisor's.
    if (turn.tool !== 'refund')
      gaps.set(kind, [...(gaps.get(kind) ?? []), Date.now() - Math.max(at, sentAt)]);
    mine.hit = undefined;
  }
  await pause(turn.pauseMs);
}

/** Whoever is carried by this worker notices; which is found out before it dies. */
async function carriedBy(worker: WorkerProcess): Promise<Going[]> {
  const found: Going[] = [];
  for (const one of going) {
    const carrier = await world.carrier(one.visit).catch(() => undefined);
    if (carrier?.worker === worker) found.push(one);
  }
  return found;
}

/** The workers by their places; one that is being replaced is not there. */
const places: (WorkerProcess | undefined)[] = [];

async function die(death: Death): Promise<void> {
  const worker = places[death.worker];
  if (!worker) return void say(`${death.kind} of worker ${death.worker} left out: it is being replaced`);
  died.begun += 1;
  await hit(death, worker);
  died.over += 1;
}

async function hit({ kind, worker: place, stopMs }: Death, worker: WorkerProcess): Promise<void> {
  places[place] = undefined;
  const carried = await carriedBy(worker);
  const at = Date.now();
  for (const one of carried) {
    one.deaths += 1;
    one.hit = { at, kind };
  }
  kills.set(kind, (kills.get(kind) ?? 0) + 1);
  if (kind === 'process') {
    const [first] = carried;
    const job = first && worker.jobOf(first.visit.id);
    if (job) worker.signal(job, 'SIGKILL');
    places[place] = worker;
  } else if (kind === 'stop') {
    await worker.stopAll();
    await pause(stopMs);
    worker.wakeAll();
    places[place] = worker;
  } else {
    // There is always another one, as in any deployment that can be restarted.
    if (kind === 'all') await worker.killAll();
    else if (kind === 'worker') await worker.killWorker();
    const fresh = world.startWorker();
    if (kind === 'drain') await Promise.all([worker.drain(), fresh]);
    places[place] = await fresh;
  }
}

function figures(values: readonly number[]): string {
  const sorted = [...values].sort((one, other) => one - other);
  const at = (rank: number) => sorted[Math.max(0, Math.ceil(rank * sorted.length) - 1)] ?? Number.NaN;
  return `median ${at(0.5)} ms, p99 ${at(0.99)} ms, worst ${at(1)} ms of ${sorted.length}`;
}

function report(): string {
  const deaths = [...kills].map(([kind, times]) => `${kind} ${times}`).join(', ');
  return `${conversations} conversations done, ${going.size} going; ${totals.messages} messages, ${totals.toolRuns} tool runs, ${totals.unknownCalls} unknown; killed: ${deaths || 'nothing yet'}; problems ${problems.length}`;
}

test(`soak with seed ${plan.seed}`, { timeout: plan.minutes * 60_000 + 600_000 }, async () => {
  const end = Date.now() + plan.minutes * 60_000;
  const progress = setInterval(() => say(report()), 10_000);
  const began = Date.now();
  const customers = Array.from({ length: plan.customers }, async (_, index) => {
    await pause(index * 300);
    for (let nth = 0; Date.now() < end; nth += 1) {
      await converse(index, nth).catch((error: unknown) => {
        problems.push(error instanceof Error ? error.message : String(error));
        say(`PROBLEM ${problems.at(-1)}`);
      });
    }
  });
  const killer = (async () => {
    for (const death of deathsOf(plan)) {
      await pause(began + death.atMs - Date.now());
      await die(death);
    }
  })();
  try {
    await Promise.all([...customers, killer]);
  } finally {
    clearInterval(progress);
  }
  say(report());
  for (const [kind, values] of gaps) say(`from ${kind} to the next answer: ${figures(values)}`);
  const killed = [...gaps].flatMap(([kind, values]) => (kind === 'drain' || kind === 'stop' ? [] : values));
  say(`from a kill to the next answer: ${figures(killed)}`);
  for (const problem of problems) say(`PROBLEM ${problem}`);
  expect(problems, `seed ${plan.seed}`).toEqual([]);
});
