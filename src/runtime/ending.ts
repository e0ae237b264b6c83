import { FloorwalkerError } from '../errors.ts';
import type { Log } from '../log.ts';
import { type Clock, delay, within } from '../session/clock.ts';

const LOOK_MS = 100;

/**
 * The end of a process, step by step. No step is waited for without a limit: one that does not come to its end is named
 * in the log, with what was done about it, and the next one begins. Steps may overlap.
 */
export class Ending {
  readonly #clock: Clock;
  readonly #log: Log;
  #complete = true;

  constructor({ clock, log }: { readonly clock: Clock; readonly log: Log }) {
    this.#clock = clock;
    this.#log = log;
  }

  /** Nothing had to be ended by force or left behind. */
  get complete(): boolean {
    return this.#complete;
  }

  /** @returns whether it came to its end in time; one that fails has come to its end too. */
  async step(step: string, limitMs: number, work: Promise<unknown>, instead: string): Promise<boolean> {
    const settled = work.then(
      () => true,
      (err: unknown) => {
        this.#log.error({ err, step }, 'a step of the end failed; the end goes on');
        return true;
      },
    );
    const ended = (await within(this.#clock, limitMs, settled)) ?? false;
    if (!ended) this.gaveUp(step, { limitMs, instead });
    return ended;
  }

  /** @returns whether the condition came true within the time; it is looked at often, not watched. */
  async until(condition: () => boolean, limitMs: number): Promise<boolean> {
    const end = this.#clock.now() + limitMs;
    while (!condition()) {
      const left = end - this.#clock.now();
      if (left <= 0) return false;
      await delay(this.#clock, Math.min(LOOK_MS, left));
    }
    return true;
  }

  /** @param fields what was done in its place (`instead`), and what an operator needs to find the cause. */
  gaveUp(step: string, fields: { readonly instead: string; readonly [field: string]: unknown }): void {
    this.#complete = false;
    const err = new FloorwalkerError('stop_incomplete', `This did not come to its end: ${step}.`);
    this.#log.error({ err, step, ...fields }, 'a step of the end did not come to its end; the end goes on');
  }
}
