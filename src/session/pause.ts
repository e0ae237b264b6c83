import type { PromptBook, PromptChannel } from '../definitions/prompts.ts';
import type { Clock } from './clock.ts';
import type { Replies } from './replies.ts';

export interface PauseDeps {
  readonly replies: Replies;
  readonly prompts: PromptBook;
  readonly channel: PromptChannel;
  readonly reassuranceMs: number;
  /** An earlier session has told the customer why they wait; the first pause of this one goes on silently. */
  readonly explained: boolean;
  /** False while somebody is talking: words of comfort must not fall into another's sentence. */
  isQuiet(): boolean;
  readonly clock: Clock;
}

/**
 * What the customer hears while a supervisor decides: why they wait, and at intervals that nobody has
 * forgotten them. The wait itself belongs to the ledger and the database.
 */
export class Pause {
  readonly #deps: PauseDeps;
  #waiting = 0;
  #pauses = 0;
  #reassured = 0;
  #cancel: (() => void) | undefined;

  constructor(deps: PauseDeps) {
    this.#deps = deps;
  }

  get active(): boolean {
    return this.#waiting > 0;
  }

  /** `waiting` calls wait for a decision now. */
  update(waiting: number): void {
    const began = this.#waiting === 0 && waiting > 0;
    this.#waiting = waiting;
    if (began) this.#begin();
    if (waiting === 0) this.close();
  }

  /** Somebody spoke: the next reassurance is due a whole interval after that. */
  touched(): void {
    if (this.active) this.#schedule();
  }

  close(): void {
    this.#cancel?.();
    this.#cancel = undefined;
  }

  #begin(): void {
    const { explained, prompts, replies, channel } = this.#deps;
    if (!explained || this.#pauses > 0)
      void replies.say(prompts.render('holding_words', {}, { channel, turn: this.#pauses }));
    this.#pauses += 1;
    this.#schedule();
  }

  #schedule(): void {
    this.#cancel?.();
    this.#cancel = this.#deps.clock.after(this.#deps.reassuranceMs, () => this.#reassure());
  }

  #reassure(): void {
    if (!this.active) return;
    const { prompts, replies, channel } = this.#deps;
    if (this.#deps.isQuiet()) {
      void replies.say(prompts.render('reassurance', {}, { channel, turn: this.#reassured }));
      this.#reassured += 1;
    }
    this.#schedule();
  }
}
