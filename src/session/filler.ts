import type { PromptBook, PromptChannel } from '../definitions/prompts.ts';
import type { Clock } from './clock.ts';
import type { Replies } from './replies.ts';

export interface FillerDeps {
  readonly replies: Replies;
  readonly prompts: PromptBook;
  readonly channel: PromptChannel;
  readonly afterMs: number;
  /** A tool's progress is told not more often than this. */
  readonly progressMs: number;
  isQuiet(): boolean;
  readonly clock: Clock;
}

/** A few words when a tool takes longer than people wait in silence: once for each stretch of running tools. */
export class Filler {
  readonly #deps: FillerDeps;
  readonly #running = new Set<string>();
  #said = 0;
  #cancel: (() => void) | undefined;
  #toldAtMs = 0;

  constructor(deps: FillerDeps) {
    this.#deps = deps;
  }

  started(callId: string): void {
    this.#running.add(callId);
    if (this.#running.size === 1) {
      this.#cancel = this.#deps.clock.after(this.#deps.afterMs, () => this.#fill());
    }
  }

  finished(callId: string): void {
    this.#running.delete(callId);
    if (this.#running.size === 0) this.close();
  }

  /** A running tool has come further: worth a word when it has been silent for long. */
  progressed(percent: number): void {
    const { clock, isQuiet, prompts, replies, channel } = this.#deps;
    if (this.#running.size === 0 || this.#said === 0 || percent >= 100 || !isQuiet()) return;
    if (clock.now() - this.#toldAtMs < this.#deps.progressMs) return;
    this.#toldAtMs = clock.now();
    void replies.say(prompts.render('progress', { percent: String(percent) }, { channel, turn: this.#said }));
    this.#said += 1;
  }

  close(): void {
    this.#cancel?.();
    this.#cancel = undefined;
  }

  #fill(): void {
    if (this.#running.size === 0 || !this.#deps.isQuiet()) return;
    const { prompts, replies, channel } = this.#deps;
    this.#toldAtMs = this.#deps.clock.now();
    void replies.say(prompts.render('filler', {}, { channel, turn: this.#said }));
    this.#said += 1;
  }
}
