import { type Line, Transcript } from '../../../src/customer-page/conversation/transcript.ts';
import { parseAgentIdentity } from '../../../src/domain/identities.ts';
import type { CallerView } from '../../../src/embedded/rehearsal/caller/caller.ts';
import { APOLOGY, isAnswer, runsOf } from './shop.ts';

const generationOf = (identity: string): number => parseAgentIdentity(identity)?.generation ?? 0;

/**
 * What stands on the customer's page after everything that they were sent: our own pages' rules, applied to what this
 * customer received. To a client a stream that its sender's death ended may look complete, so the last words of each
 * agent that has a successor count as broken off until the history says otherwise.
 */
export function screenOf(customer: CallerView): string[] {
  return linesOf(customer).map(({ text }) => text);
}

function linesOf({ texts, histories }: CallerView): Line[] {
  const transcript = new Transcript();
  const begun: { readonly id: string; readonly generation: number }[] = [];
  const happened: { readonly at: number; apply(): void }[] = [];
  for (const { id, from, role, at, finishedAt, text } of texts) {
    happened.push({
      at,
      apply() {
        transcript.append(id, role, text);
        if (role === 'agent') begun.push({ id, generation: generationOf(from) });
      },
    });
    if (finishedAt !== undefined)
      happened.push({ at: finishedAt, apply: () => transcript.settle(id, 'done') });
  }
  for (const { at, from, items } of histories) {
    happened.push({
      at,
      apply() {
        for (const lost of new Set(begun.map(({ generation }) => generation))) {
          const last = begun.findLast(({ generation }) => generation === lost);
          if (last && lost < generationOf(from)) transcript.settle(last.id, 'broken');
        }
        transcript.merge(items);
      },
    });
  }
  happened.sort((one, other) => one.at - other.at);
  for (const { apply } of happened) apply();
  return transcript.lines.filter(({ from }) => from === 'agent');
}

/** Whether the customer has read an answer to these words to its end, perhaps in the pieces that a death left. */
export function hasRead(customer: CallerView, words: string): boolean {
  const read = linesOf(customer).filter(({ state, text }) => state === 'done' && !APOLOGY.test(text));
  return runsOf(read.map(({ text }) => text)).some((text) => isAnswer(text, words));
}
