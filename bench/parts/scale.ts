import { setTimeout as wait } from 'node:timers/promises';
import type { Agent } from '../../test/support/fixtures.ts';
import type { Measurements } from '../measurements.ts';
import type { BenchOptions } from '../options.ts';
import { familyCpuMs, memoryOfAllMb, processesOf } from '../processes.ts';
import type { Stack, Visit } from '../stack.ts';

/** Open chats at which the cost of one is looked at. */
const SIZES = [1, 10, 50, 100, 200];
/** What begins at once is measured by `density`; here they come one after the other. */
const JOINING_AT_ONCE = 5;
const HOUR_MS = 3_600_000;

async function open(stack: Stack, agent: Agent, visits: Visit[], size: number): Promise<void> {
  while (visits.length < size) {
    const missing = Math.min(JOINING_AT_ONCE, size - visits.length);
    const joined = await Promise.all(Array.from({ length: missing }, () => stack.join(agent)));
    visits.push(...joined);
    const greeting = { what: 'the greeting', deadlineMs: 60_000 };
    await Promise.all(
      joined.map(({ customer }) =>
        customer.waitFor(() => customer.texts.some(({ final }) => final), greeting),
      ),
    );
  }
}

/** What all of it has used until now. */
async function used(stack: Stack) {
  const [row] = await stack.sql<{ bytes: string }[]>`select pg_current_wal_lsn() - '0/0' as bytes`;
  return {
    at: Date.now(),
    workerMs: await familyCpuMs(stack.workerPid),
    databaseMs: await familyCpuMs(stack.servers.postgresPid),
    walBytes: Number(row?.bytes),
  };
}

/** Everybody says something once while the time passes, evenly spread, and is answered. */
async function converse(visits: readonly Visit[], windowMs: number): Promise<void> {
  await Promise.all(
    visits.map(async ({ customer }, place) => {
      await wait((place / visits.length) * windowMs * 0.8);
      const sentAt = Date.now();
      await customer.send('A question: where is my order?');
      await customer.waitFor(
        () => customer.texts.some(({ role, at, final }) => role === 'agent' && final && at >= sentAt),
        { what: 'an answer', deadlineMs: 60_000 },
      );
    }),
  );
}

/** The rows of the window: how late each was committed, and in how many writes a tick came. */
async function cadence(
  stack: Stack,
  size: number,
  from: number,
  to: number,
  results: Measurements,
): Promise<void> {
  const rows = await stack.sql<{ late: number }[]>`
    select (extract(epoch from pg_xact_commit_timestamp(m.xmin) - m."timestamp") * 1000)::float as late
    from realtime_metrics m where m."timestamp" between ${new Date(from)} and ${new Date(to)}`;
  for (const { late } of rows) results.add('scale', `row later than its time, ${size} chats`, late);
  const writes = await stack.sql<{ writes: number }[]>`
    select count(distinct m.xmin::text || i.worker_id)::float / count(distinct i.worker_id) as writes
    from realtime_metrics m join interactions i on i.id = m.interaction_id
    where m."timestamp" between ${new Date(from)} and ${new Date(to)} group by m."timestamp"`;
  for (const tick of writes) {
    results.add('scale', `writes of rows a tick and process, ${size} chats`, tick.writes, 'x');
  }
  const wanted = size * Math.floor((to - from) / 5_000);
  results.add('scale', `rows of those that were due, ${size} chats`, (rows.length / wanted) * 100, '%');
}

/** What an interaction costs while there are few and while there are many, and whether its rows come in time. */
export async function measureScale(
  stack: Stack,
  options: BenchOptions,
  results: Measurements,
): Promise<void> {
  const agent = await stack.createAgent({ maxConcurrentInteractions: 1_000 });
  const sizes = SIZES.filter((size) => size <= options.scale);
  const visits: Visit[] = [];
  await stack.stopWorker();
  await stack.startWorker({ WORKER_MAX_CHATS: String(Math.max(100, options.scale)) });
  await stack.rest();
  const cost = new Map<number, { memoryMb: number; cpuMs: number }>();
  try {
    for (const size of sizes) {
      results.tell(`scale: ${size} chats`);
      await open(stack, agent, visits, size);
      await stack.rest();
      const before = await used(stack);
      await converse(visits, options.window * 1_000);
      await wait(Math.max(0, before.at + options.window * 1_000 - Date.now()));
      const after = await used(stack);
      const lastedMs = after.at - before.at;
      // With all that the processes which hold them would weigh without any.
      const { chats } = await processesOf(stack.workerPid);
      const memoryMb = (await memoryOfAllMb(chats)) / size;
      const hours = (size * lastedMs) / HOUR_MS;
      const cpuMs = (after.workerMs - before.workerMs) / size;
      cost.set(size, { memoryMb, cpuMs });
      results.add('scale', `memory per chat, ${size} chats`, memoryMb, 'MB');
      results.add('scale', `processor time per chat and turn, ${size} chats`, cpuMs);
      results.add(
        'scale',
        `database: processor s per chat-hour, ${size} chats`,
        (after.databaseMs - before.databaseMs) / 1_000 / hours,
        's',
      );
      results.add(
        'scale',
        `database: log written per chat-hour, ${size} chats`,
        (after.walBytes - before.walBytes) / 1_048_576 / hours,
        'MB',
      );
      // The last tick's rows may be on their way.
      await wait(1_000);
      await cadence(stack, size, before.at, after.at, results);
    }
  } finally {
    for (const { customer } of visits) await customer.leave();
    await stack.endAll();
  }
  const [tenth, largest] = [cost.get(10), cost.get(sizes.at(-1) ?? 0)];
  if (!tenth || !largest || tenth === largest) return;
  results.add(
    'scale',
    `${sizes.at(-1)} / 10 chats: processor time per chat`,
    largest.cpuMs / tenth.cpuMs,
    'x',
  );
  results.add('scale', `${sizes.at(-1)} / 10 chats: memory per chat`, largest.memoryMb / tenth.memoryMb, 'x');
}
