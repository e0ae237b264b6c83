import { AsyncLocalStorage } from 'node:async_hooks';
import type { Clock } from './clock.ts';

export interface TicksDeps {
  readonly everyMs: number;
  readonly clock: Clock;
}

/**
 * The moments at which all sessions of a process are measured: the same for all, so that their rows go to the database
 * in one write, and the same in every process, so that whoever carries a session on goes on at the same ones. A late
 * tick stays one tick, and one that was missed altogether (a stopped process) is not made up for.
 */
export class Ticks {
  readonly #deps: TicksDeps;
  /** The work of all is nobody's, whoever's session began it. */
  readonly #forAll = AsyncLocalStorage.snapshot();
  readonly #listeners = new Set<(at: number) => void>();
  #cancel: (() => void) | undefined;

  constructor(deps: TicksDeps) {
    this.#deps = deps;
  }

  /** Calls back at each tick with the moment it is meant for; the returned function ends that. */
  subscribe(onTick: (at: number) => void): () => void {
    const listener = AsyncLocalStorage.bind(onTick);
    this.#listeners.add(listener);
    if (this.#listeners.size === 1) this.#forAll(() => this.#schedule());
    return () => {
      this.#listeners.delete(listener);
      if (this.#listeners.size === 0) this.#cancel?.();
    };
  }

  #schedule(): void {
    const { clock, everyMs } = this.#deps;
    const now = clock.now();
    const next = (Math.floor(now / everyMs) + 1) * everyMs;
    this.#cancel = clock.after(next - now, () => {
      this.#schedule();
      for (const listener of [...this.#listeners]) listener(next);
    });
  }
}
