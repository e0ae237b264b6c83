import { setTimeout as wait } from 'node:timers/promises';
import { SOUND_DB } from '../../src/embedded/rehearsal/caller/caller.ts';
import { COUGH } from '../../test/support/cough.ts';
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

const STORY_REQUEST = 'Please tell me a story.';
const INTERRUPTION = 'Stop, that is enough.';
/** Longer than the agent's pauses between two sentences. */
const SILENT_MS = 400;
/** Somebody who only listens, and somebody who coughs. */
const NO_WORDS = ['Mm-hmm.', COUGH.input];
const GOES_ON_WITHIN_MS = 4_000;
/** What the speech server leaves before the words. */
const LEADING_SILENCE_MS = 20;

/**
 * The agent tells a story; a cough and an "mhm" should not stop it, and somebody who interrupts should at once. Its
 * silence is the last 20 ms above -45 dB before it pauses for longer than it does between sentences.
 */
async function interrupt({ customer }: Visit, results: Measurements): Promise<void> {
  await customer.prepare(STORY_REQUEST, INTERRUPTION, ...NO_WORDS);
  await customer.waitForQuiet(QUIET_MS, { deadlineMs: DEADLINE_MS });
  const { endedAt } = await customer.say(STORY_REQUEST);
  const soundAt = await customer.waitForSound(endedAt, { deadlineMs: DEADLINE_MS });
  await wait(soundAt + 1_500 - Date.now());
  for (const sound of NO_WORDS) {
    const made = await customer.say(sound);
    // What it says of its story in the seconds after, less the pause that it may make.
    await wait(made.endedAt + GOES_ON_WITHIN_MS - Date.now());
    const goesOn = customer.soundBetweenMs(made.endedAt + GOES_ON_WITHIN_MS / 2, Date.now()) > 500;
    results.add('voice', `barge-in: goes on after "${sound}"`, goesOn ? 100 : 0, '%');
    const heardMs = customer.soundBetweenMs(made.startedAt, made.startedAt + GOES_ON_WITHIN_MS);
    results.add(
      'voice',
      `  silent in the ${GOES_ON_WITHIN_MS / 1_000} s after it`,
      GOES_ON_WITHIN_MS - heardMs,
    );
  }
  const saying = customer.say(INTERRUPTION);
  const { startedAt } = await saying;
  const silentAt = await customer.waitFor(
    () => {
      const after = customer.sounds.filter(({ at, levelDb }) => at > startedAt && levelDb > SOUND_DB);
      // Nothing after it began: it had stopped before.
      if (Date.now() - startedAt < SILENT_MS) return undefined;
      const last = after.findIndex(({ at }, nth) => (after[nth + 1]?.at ?? Date.now()) - at > SILENT_MS);
      return after[last]?.at;
    },
    { what: 'the end of the story', deadlineMs: DEADLINE_MS },
  );
  const firstSoundAt = startedAt + LEADING_SILENCE_MS;
  results.add('voice', "barge-in: caller's first sound to the agent's silence", silentAt - firstSoundAt);
}

/** Joins a call, and waits for its greeting to begin. @returns when that was. */
export async function answered(visit: Visit): Promise<number> {
  return visit.customer.waitForSound(0, { what: "the greeting's first sound", deadlineMs: DEADLINE_MS });
}

const JOINED = 'join: create to first sound';

/** Joining a call, and from the true end of the caller's speech to the first sound that the caller hears. */
export async function measureVoice(
  stack: Stack,
  options: BenchOptions,
  results: Measurements,
): Promise<void> {
  const agent = await stack.createAgent({ agentType: 'voice' });
  const edited = await stack.createAgent({ agentType: 'voice' });
  let asked = 0;
  const call = async (questions: number, keep: boolean): Promise<void> => {
    const visit = await stack.join(agent);
    try {
      const soundAt = await answered(visit);
      if (keep) results.add('voice', JOINED, soundAt - visit.askedAt);
      for (let question = 0; question < questions; question += 1) {
        const words = SAID[asked++ % SAID.length] ?? '';
        await ask(stack, visit, words, keep ? results : undefined);
      }
      if (keep) await interrupt(visit, results);
    } finally {
      await stack.end(agent, visit);
    }
  };
  let greetings = 0;
  /** Each of two callers hangs up when the greeting begins: one whose greeting was heard before, one whose never was. */
  const greet = async (): Promise<void> => {
    const greeting = `Good day, this is greeting ${++greetings} of ours. How can I help you?`;
    await stack.sql`update agents set greeting = ${greeting} where id = ${edited.id}`;
    for (const [one, what] of [
      [agent, JOINED],
      [edited, '  with a greeting that was never spoken'],
    ] as const) {
      const visit = await stack.join(one);
      try {
        results.add('voice', what, (await answered(visit)) - visit.askedAt);
      } finally {
        await stack.end(one, visit);
      }
    }
  };
  // Not counted: in this call the synthesiser makes the sounds that it later only hands out.
  await results.attempt('voice', () => call(1, false));
  asked = 0;
  await results.repeat('voice', options.greetings, greet);
  await results.repeat('voice', options.calls, () => call(options.questions, true));
}

/** A call with one question answered, for a look at its process. */
export async function converse(stack: Stack, visit: Visit): Promise<void> {
  await answered(visit);
  await ask(stack, visit, SAID[0] ?? '', undefined);
  await visit.customer.waitForQuiet(QUIET_MS, { deadlineMs: DEADLINE_MS });
}
