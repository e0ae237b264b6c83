import type { Customer, Spoken } from '../../src/embedded/rehearsal/caller/caller.ts';

const TIMES = 4;
/** Recognition says what it has made of a sentence within this time, however busy the machine is. */
const HEARD_WITHIN_MS = 10_000;
const QUIET_MS = 700;

/**
 * Says something, and says it again when it was misheard, as people do: where a busy machine loses sound, no words can be
 * found in what is left of it. What was misheard has been a turn all the same, and may have been answered.
 *
 * @param understood the words that must have been recognised.
 * @returns the saying that was understood.
 */
export async function sayClearly(customer: Customer, words: string, understood: RegExp): Promise<Spoken> {
  await customer.prepare(words);
  for (let time = 1; ; time += 1) {
    const from = customer.transcripts.length;
    const spoken = await customer.say(words);
    const recognised = () =>
      understood.test(
        customer.transcripts
          .slice(from)
          .filter(({ final }) => final)
          .map(({ text }) => text)
          .join(' '),
      );
    const options = { what: `"${words}" being understood`, deadlineMs: HEARD_WITHIN_MS };
    const heard = await customer.waitFor(recognised, options).catch((error: unknown) => {
      if (time === TIMES) throw error;
      return false;
    });
    if (heard) return spoken;
    await customer.waitForQuiet(QUIET_MS, { deadlineMs: HEARD_WITHIN_MS * 2 });
  }
}
