import type { CDPSession, Page } from 'playwright-core';
import { z } from 'zod';

const traceSchema = z.array(
  z.looseObject({
    name: z.string(),
    pid: z.number(),
    tid: z.number(),
    /** Time on the clock of the machine and of the thread, in microseconds. */
    dur: z.optional(z.number()),
    tdur: z.optional(z.number()),
    args: z.optional(z.looseObject({ name: z.optional(z.unknown()) })),
  }),
);
/** Chromium’s name for what its scheduler runs in one go. */
const TASK = 'ThreadControllerImpl::RunTask';
type TraceEvent = z.output<typeof traceSchema>[number];

/** What a page's main thread computed, by its own clock: what else ran on the machine meanwhile does not count. */
export interface OwnTime {
  /** Seconds spent by kind of work: `TaskDuration`, `ScriptDuration`, … */
  readonly spent: Readonly<Record<string, number>>;
  /** Milliseconds of each task, on the clock of the thread. */
  readonly tasksMs: readonly number[];
}

async function readSpent(session: CDPSession): Promise<Record<string, number>> {
  const { metrics } = await session.send('Performance.getMetrics');
  return Object.fromEntries(metrics.map(({ name, value }) => [name, value]));
}

function tasksOf(events: readonly TraceEvent[]): number[] {
  const thread = ({ pid, tid }: TraceEvent): string => `${pid}/${tid}`;
  const main = new Set(
    events
      .filter(({ name, args }) => name === 'thread_name' && args?.name === 'CrRendererMain')
      .map((event) => thread(event)),
  );
  const tasks = events.filter((event) => event.name === TASK && main.has(thread(event)));
  if (tasks.length === 0) throw new Error(`this Chromium reports no ${TASK}`);
  return tasks.map(({ tdur }) => (tdur ?? 0) / 1_000);
}

/** @returns how to end it, and read what was spent since */
export async function watchOwnTime(page: Page): Promise<() => Promise<OwnTime>> {
  const session = await page.context().newCDPSession(page);
  await session.send('Performance.enable', { timeDomain: 'threadTicks' });
  const events: TraceEvent[] = [];
  session.on('Tracing.dataCollected', ({ value }) => void events.push(...traceSchema.parse(value)));
  const before = await readSpent(session);
  await session.send('Tracing.start', {
    transferMode: 'ReportEvents',
    traceConfig: { includedCategories: ['toplevel', '__metadata'] },
  });
  return async () => {
    const after = await readSpent(session);
    const complete = new Promise<void>((resolve) => session.once('Tracing.tracingComplete', () => resolve()));
    await session.send('Tracing.end');
    await complete;
    const spent = Object.entries(after).map(([name, value]) => [name, value - (before[name] ?? 0)]);
    return { spent: Object.fromEntries(spent), tasksMs: tasksOf(events) };
  };
}
