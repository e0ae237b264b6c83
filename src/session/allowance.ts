import type { Clock } from './clock.ts';

/** So much at once, and then so much a second: what is not used is saved up to the first of the two. */
export class Allowance {
  readonly #most: number;
  readonly #perSecond: number;
  readonly #clock: Clock;
  #left: number;
  #countedAt: number;

  constructor(options: { most: number; perSecond: number; clock: Clock }) {
    this.#most = options.most;
    this.#perSecond = options.perSecond;
    this.#clock = options.clock;
    this.#left = options.most;
    this.#countedAt = options.clock.now();
  }

  /** @returns false, and takes nothing, when there is not enough left. */
  take(amount = 1): boolean {
    const now = this.#clock.now();
    this.give((Math.max(0, now - this.#countedAt) / 1_000) * this.#perSecond);
    this.#countedAt = now;
    if (amount > this.#left) return false;
    this.#left -= amount;
    return true;
  }

  give(amount: number): void {
    this.#left = Math.min(this.#most, this.#left + amount);
  }
}
