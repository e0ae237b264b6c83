import type { Measurements } from '../measurements.ts';
import type { BenchOptions } from '../options.ts';
import type { Stack, Visit } from '../stack.ts';

/** One clause and two, with a pause between: an end must not be seen where there is none. */
const SAID = [
  'Where is my order?',
  'I would like to know when my parcel arrives.',
  'Hello, can you tell me where my parcel is?',
  'My number is one zero four two, please have a look.',
];
const QUIET_MS = 1_000;
const DEADLINE_MS = 30_000;

async function ask(
  stack: Stack,
  visit: Visit,
  words: string,
  results: Measurements | undefined,
): Promise<void> {
  const { customer } = visit;
  await customer.prepare(words);
  await customer.waitForQuiet(QUIET_MS, { deadlineMs: DEADLINE_MS });
  const began = Date.now();
  const { endedAt } = await customer.say(words);
  const soundAt = await customer.waitForSound(began, { deadlineMs: DEADLINE_MS });
  if (soundAt < endedAt) throw new Error(`the agent spoke ${endedAt - soundAt} ms before the caller's end`);
  if (!results) return;
  results.add('voice', 'last word to first sound', soundAt - endedAt);
  const heard = customer.transcripts.findLast(({ at, final }) => final && at >= began && at <= soundAt);
  if (heard) results.add('voice', '  last word to transcript', heard.at - endedAt);
  const turn = stack.model.turns.findLast(({ askedAt }) => askedAt >= began && askedAt <= soundAt);
  if (!turn) throw new Error('there was a sound, but the model had not been asked');
  results.add('voice', '  last word to model asked', turn.askedAt - endedAt);
  results.add('voice', '  model answered to first sound', soundAt - turn.answeredAt);
}

/** Joins a call, and waits for its greeting to begin. @returns when that was. */
export async function answered(visit: Visit): Promise<number> {
  return visit.customer.waitForSound(0, { what: "the greeting's first sound", deadlineMs: DEADLINE_MS });
}

/** Joining a call, and from the true end of the caller's speech to the first sound that the caller hears. */
export async function measureVoice(
  stack: Stack,
  options: BenchOptions,
  results: Measurements,
): Promise<void> {
  const agent = await stack.createAgent({ agentType: 'voice' });
  let asked = 0;
  const call = async (questions: number, keep: boolean): Promise<void> => {
    const visit = await stack.join(agent);
    try {
      const soundAt = await answered(visit);
      if (keep) results.add('voice', 'join: create to first sound', soundAt - visit.askedAt);
      for (let question = 0; question < questions; question += 1) {
        const words = SAID[asked++ % SAID.length] ?? '';
        await ask(stack, visit, words, keep ? results : undefined);
      }
    } finally {
      await stack.end(agent, visit);
    }
  };
  // Not counted: in this call the synthesiser makes the sounds that it later only hands out.
  await results.attempt('voice', () => call(1, false));
  asked = 0;
  await results.repeat('voice', options.calls, () => call(options.questions, true));
}

/** A call with one question answered, for a look at its process. */
export async function converse(stack: Stack, visit: Visit): Promise<void> {
  await answered(visit);
  await ask(stack, visit, SAID[0] ?? '', undefined);
  await visit.customer.waitForQuiet(QUIET_MS, { deadlineMs: DEADLINE_MS });
}
