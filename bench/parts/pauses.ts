import { setTimeout as wait } from 'node:timers/promises';
import type { Customer } from '../../src/embedded/rehearsal/caller/caller.ts';
import { Bare } from '../bare/contestant.ts';
import type { Measurements } from '../measurements.ts';
import type { BenchOptions } from '../options.ts';
import type { Stack } from '../stack.ts';

/** Sentences in whose middle somebody stops to think, and where. */
const SENTENCES = [
  ['I would like to know', 'when my parcel arrives.'],
  ['My order number is', 'one zero four two, please have a look.'],
  ['Can you tell me', 'where my order is?'],
  ['I need to change', 'the address of my last order.'],
] as const;
const PAUSES_MS = [500, 1_000, 1_500];
const VOICES = ['alloy', 'echo', 'fable'];
const QUIET_MS = 1_000;
const DEADLINE_MS = 30_000;

/** One caller, who says so many sentences with a pause in each. */
async function call(
  name: string,
  customer: Customer,
  order: readonly number[],
  results: Measurements,
): Promise<void> {
  await customer.waitForSound(0, { what: 'the greeting', deadlineMs: DEADLINE_MS });
  for (const nth of order) {
    const [begin, rest] = SENTENCES[nth % SENTENCES.length] ?? SENTENCES[0];
    const pauseMs = PAUSES_MS[nth % PAUSES_MS.length] ?? 0;
    await customer.prepare(begin, rest);
    await customer.waitForQuiet(QUIET_MS, { deadlineMs: DEADLINE_MS });
    const first = await customer.say(begin);
    await wait(Math.max(0, first.endedAt + pauseMs - Date.now()));
    const { endedAt } = await customer.say(rest);
    const early = customer.firstSoundAfter(first.startedAt);
    const interrupted = early !== undefined && early < endedAt;
    results.add('pauses', `${name}: callers interrupted in a pause`, interrupted ? 100 : 0, '%');
    // Whoever was interrupted and spoke on is answered at some other time.
    if (interrupted) continue;
    const soundAt = await customer.waitForSound(endedAt, { deadlineMs: DEADLINE_MS });
    results.add('pauses', `${name}: last word to first sound`, soundAt - endedAt);
  }
}

/**
 * Callers who stop to think in mid-sentence: how often the agent talks into the pause, and how quick it is where they
 * have finished. This project and the bare framework at its defaults, on the same sentences by the same voices.
 */
export async function measurePauses(
  stack: Stack,
  options: BenchOptions,
  results: Measurements,
): Promise<void> {
  const agent = await stack.createAgent({ agentType: 'voice' });
  const orders = VOICES.map((voice, caller) => {
    const mine = Array.from({ length: options.pauses }, (_, nth) => nth).filter(
      (nth) => nth % VOICES.length === caller,
    );
    // The pauses and the voices turn together otherwise, and each voice would meet one pause only.
    return { voice, sentences: mine.map((nth, place) => nth + place) };
  }).filter(({ sentences }) => sentences.length > 0);
  const bare = await Bare.start(stack.bareServers, { channel: 'voice' });
  try {
    for (const { voice, sentences } of orders) {
      results.tell(`pauses: ${voice}`);
      await results.attempt('pauses', async () => {
        const visit = await stack.join(agent, voice);
        try {
          await call('floorwalker', visit.customer, sentences, results);
        } finally {
          await stack.end(agent, visit);
        }
      });
      await results.attempt('pauses', async () => {
        const begun = await bare.begin(voice);
        try {
          await call('bare framework', begun.customer, sentences, results);
        } finally {
          await bare.end([begun]);
        }
      });
    }
  } finally {
    await bare.stop();
  }
}
