import type { Clock } from './clock.ts';

interface Arrival {
  deliver: (() => void) | undefined;
}

/** How long a message that is complete waits for one that began before it. */
const PATIENCE_MS = 1_000;

/**
 * Delivers what one sender wrote in the order in which they began to write it, although streams that arrive
 * together are read side by side. One that does not come to its end (a page that was closed) holds the
 * others up for a moment only, and is delivered late if it comes after all.
 */
export class ArrivalOrder {
  readonly #clock: Clock;
  readonly #waiting: Arrival[] = [];
  #cancel: (() => void) | undefined;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** Notes that something begins to arrive; the returned function is called once with what to do at its turn. */
  begin(): (deliver: () => void) => void {
    const arrival: Arrival = { deliver: undefined };
    this.#waiting.push(arrival);
    return (deliver) => {
      if (!this.#waiting.includes(arrival)) return deliver();
      arrival.deliver = deliver;
      this.#flush();
    };
  }

  #flush(): void {
    this.#cancel?.();
    while (this.#waiting[0]?.deliver) this.#waiting.shift()?.deliver?.();
    if (!this.#waiting.some((arrival) => arrival.deliver)) return;
    this.#cancel = this.#clock.after(PATIENCE_MS, () => {
      while (this.#waiting[0] && !this.#waiting[0].deliver) this.#waiting.shift();
      this.#flush();
    });
  }
}
