import { startNodeChild } from '../../src/embedded/node-child.ts';
import type { Agent } from '../../test/support/fixtures.ts';
import { type Measurements, percentile } from '../measurements.ts';
import type { BenchOptions } from '../options.ts';
import { cpuMs } from '../processes.ts';
import type { Stack } from '../stack.ts';
import { firstText, greeted } from './chat.ts';

const HOST = new URL('../unguarded/host.ts', import.meta.url);
const TURNS = 10;
const COMPARED = ['message to first word', 'message to complete', 'processor time of the agent’s process'];

/** Chats one after another in a process of chats of their own, `with` what production keeps or `without` it. */
async function converse(
  stack: Stack,
  agent: Agent,
  guarantees: 'with' | 'without',
  nth: number,
  results: Measurements,
): Promise<void> {
  const host = await startNodeChild({
    name: 'process of chats',
    script: HOST,
    args: [guarantees],
    env: stack.settings,
    logFile: stack.logFile(`guarantees-${guarantees}-${nth}`),
    killAfterMs: 15_000,
    ready: (lines) => lines.line(/^registered with LiveKit/),
  });
  try {
    const visit = await stack.join(agent);
    await greeted(visit);
    // The first turn loads what the others find there.
    for (let turn = 0; turn <= TURNS; turn += 1) {
      const before = await cpuMs(host.pid);
      const sentAt = Date.now();
      await visit.customer.send(`Question ${nth}.${turn}: where is my order?`);
      const first = await firstText(visit, sentAt);
      const finishedAt = await visit.customer.waitFor(() => first.finishedAt, {
        what: 'the end of the answer',
      });
      const asked = stack.model.turns.findLast(({ customer }) => customer.includes(`${nth}.${turn}:`));
      if (!asked) throw new Error('the model was never asked');
      const modelMs = asked.answeredAt - asked.askedAt;
      // What is written after the turn, and a share of what goes on all the time, belongs to it too.
      await new Promise((resolve) => setTimeout(resolve, 1_000));
      if (turn === 0) continue;
      const add = (what: string, value: number) =>
        results.add('recovery', `turn ${guarantees} guarantees: ${what}`, value);
      add('message to first word', first.at - sentAt - Math.min(modelMs, first.at - asked.askedAt));
      add('message to complete', finishedAt - sentAt - modelMs);
      add('processor time of the agent’s process', (await cpuMs(host.pid)) - before);
    }
    await visit.customer.leave();
  } finally {
    await host.stop();
    await stack.giveUpAll();
  }
}

/** What a turn costs because nothing of it may be lost or doubled: the same code beside a store that forgets. */
export async function measureGuarantees(
  stack: Stack,
  options: BenchOptions,
  results: Measurements,
): Promise<void> {
  // One for all of them: a supervisor has no more than three agents.
  const agent = await stack.createAgent({ maxConcurrentInteractions: 1_000 });
  await results.repeat('recovery', options.comparisons, async (nth) => {
    // In turn, so that a machine that gets busier is busier for both.
    const order = nth % 2 === 0 ? (['without', 'with'] as const) : (['with', 'without'] as const);
    for (const guarantees of order) await converse(stack, agent, guarantees, nth, results);
  });
  const median = (name: string): number => {
    const series = results.series.find((known) => known.part === 'recovery' && known.name === name);
    return percentile(series?.values ?? [], 0.5);
  };
  for (const what of COMPARED) {
    const ratio = median(`turn with guarantees: ${what}`) / median(`turn without guarantees: ${what}`);
    if (Number.isFinite(ratio))
      results.add('recovery', `ratio with / without guarantees: ${what}`, ratio, 'x');
  }
}
