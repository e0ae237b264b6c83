import { Allowance } from './allowance.ts';
import type { Clock } from './clock.ts';

/** Messages at once and a second, far beyond what anybody types; a page that comes back sends what waited together. */
const MESSAGES = { most: 100, perSecond: 2 };
/** Somebody who waits for answers is no flood, however quick the answers are. */
const MESSAGES_AN_ANSWER = 10;
const BYTES = { most: 2 * 1024 * 1024, perSecond: 32 * 1024 };
/**
 * Every stream that is open costs each event of the whole process a little, so those that are never completed count
 * most of all.
 */
const OPEN_STREAMS = 100;

/** What one sender may write. Nobody's flood counts against another. */
export class SenderLimits {
  readonly #messages: Allowance;
  readonly #bytes: Allowance;
  #open = 0;

  constructor(clock: Clock) {
    this.#messages = new Allowance({ ...MESSAGES, clock });
    this.#bytes = new Allowance({ ...BYTES, clock });
  }

  /** A message begins; every one that may is to be followed by `ended`. */
  begins(): boolean {
    if (this.#open >= OPEN_STREAMS || !this.#messages.take()) return false;
    this.#open += 1;
    return true;
  }

  ended(): void {
    this.#open -= 1;
  }

  /** A part of a message has come. */
  mayAdd(bytes: number): boolean {
    return this.#bytes.take(bytes);
  }

  answered(): void {
    this.#messages.give(MESSAGES_AN_ANSWER);
  }
}
