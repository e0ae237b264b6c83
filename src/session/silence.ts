import type { PromptBook } from '../definitions/prompts.ts';
import type { Clock } from './clock.ts';
import type { Replies } from './replies.ts';

export interface SilenceDeps {
  readonly replies: Replies;
  readonly prompts: PromptBook;
  readonly firstMs: number;
  readonly secondMs: number;
  readonly endMs: number;
  /** False while silence is not the customer's: somebody speaks, a decision is awaited, a human has control. */
  isCustomersTurn(): boolean;
  /** The customer did not answer at all: the call ends after the last words were said. */
  onEnd(): void;
  readonly clock: Clock;
}

/** A caller who says nothing is asked, asked again, and then let go politely. Voice only. */
export class Silence {
  readonly #deps: SilenceDeps;
  #since: number;
  #stage = 0;
  #cancel: (() => void) | undefined;

  constructor(deps: SilenceDeps) {
    this.#deps = deps;
    this.#since = deps.clock.now();
  }

  start(): void {
    this.customerHeard();
  }

  /** The customer spoke: everything begins anew. */
  customerHeard(): void {
    this.#stage = 0;
    this.#restart();
  }

  /** The agent stopped speaking or a wait ended: the customer has the whole time to answer from now on. */
  turnPassed(): void {
    if (this.#stage === 0) this.#restart();
  }

  close(): void {
    this.#cancel?.();
    this.#cancel = undefined;
  }

  #restart(): void {
    this.#since = this.#deps.clock.now();
    this.#schedule();
  }

  #schedule(): void {
    this.#cancel?.();
    const { firstMs, secondMs, endMs, clock } = this.#deps;
    const dueMs = [firstMs, secondMs, endMs][this.#stage];
    if (dueMs === undefined) return;
    this.#cancel = clock.after(this.#since + dueMs - clock.now(), () => this.#due());
  }

  #due(): void {
    const { replies, prompts, firstMs, clock } = this.#deps;
    if (!this.#deps.isCustomersTurn()) {
      // The time that others took does not count as the customer's silence.
      this.#since = clock.now() - (this.#stage === 0 ? 0 : firstMs);
      this.#schedule();
      return;
    }
    const names = ['silence_first', 'silence_second', 'silence_goodbye'] as const;
    const name = names[this.#stage];
    if (name === undefined) return;
    this.#stage += 1;
    const said = replies.say(prompts.render(name, {}, { channel: 'voice' }));
    if (name === 'silence_goodbye') void said.then(() => this.#stage === names.length && this.#deps.onEnd());
    else this.#schedule();
  }
}
