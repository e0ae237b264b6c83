import { setImmediate as turn } from 'node:timers/promises';
import type { Clock } from '../../src/session/clock.ts';

interface Timer {
  readonly dueAt: number;
  readonly action: () => void;
}

/** A clock that stands still until a test moves it. */
export class ManualClock implements Clock {
  #now: number;
  #timers: Timer[] = [];

  constructor(startsAt = Date.UTC(2026, 0, 5, 9, 0, 0)) {
    this.#now = startsAt;
  }

  now(): number {
    return this.#now;
  }

  after(delayMs: number, action: () => void): () => void {
    const timer = { dueAt: this.#now + Math.max(0, delayMs), action };
    this.#timers.push(timer);
    return () => {
      this.#timers = this.#timers.filter((other) => other !== timer);
    };
  }

  /** Timers that are set; 0 means that nothing will happen any more. */
  get waiting(): number {
    return this.#timers.length;
  }

  /** Lets the time pass: each timer runs at its own moment, and what it started is let finish before the next. */
  async advance(byMs: number): Promise<void> {
    await settled();
    const until = this.#now + byMs;
    for (;;) {
      const next = this.#timers
        .filter((timer) => timer.dueAt <= until)
        .sort((one, other) => one.dueAt - other.dueAt)[0];
      if (next === undefined) break;
      this.#timers = this.#timers.filter((timer) => timer !== next);
      this.#now = Math.max(this.#now, next.dueAt);
      next.action();
      await settled();
    }
    this.#now = until;
    await settled();
  }

  /** The time passes in one leap without anything running at its moment, as in a process that was stopped. */
  leap(byMs: number): void {
    this.#now += byMs;
  }
}

/** Lets everything run that needs no time and no other process. */
export async function settled(): Promise<void> {
  for (let turns = 0; turns < 5; turns += 1) await turn();
}
