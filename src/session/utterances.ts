import { randomUUID } from 'node:crypto';

/** Utterances of the agent that are being said or were broken off; more than these are never open at once. */
const MOST_OPEN = 8;

interface Utterance {
  readonly id: string;
  text: string;
}

/**
 * Gives what the agent says its id while it is still being said, so that the complete message can replace what
 * was shown of it. The framework has an id for the message only afterwards, and none for what it speaks.
 */
export class Utterances {
  readonly #open: Utterance[] = [];

  begin(): { readonly id: string; add(part: string): string } {
    const utterance: Utterance = { id: `agent:${randomUUID()}`, text: '' };
    this.#open.push(utterance);
    if (this.#open.length > MOST_OPEN) this.#open.shift();
    return {
      id: utterance.id,
      add(part) {
        utterance.text += part;
        return utterance.text;
      },
    };
  }

  /** The id under which this text was begun; it may be cut short, or have an end that has not been said yet. */
  complete(said: string): string | undefined {
    const wanted = plain(said);
    const begun = (matches: (text: string) => boolean): number =>
      this.#open.findIndex(({ text }) => text !== '' && matches(plain(text)));
    const whole = begun((text) => text.startsWith(wanted));
    const index = whole >= 0 ? whole : begun((text) => wanted.startsWith(text));
    if (index < 0) return undefined;
    return this.#open.splice(index, 1)[0]?.id;
  }
}

/** Speech keeps words, not the blanks between them. */
function plain(text: string): string {
  return text.replace(/\s+/g, '');
}
