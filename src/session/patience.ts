/** Who speaks again so soon after an end that was none was thinking; it was not the answer that made them speak. */
const TOO_SOON_MS = 1_500;
/** So many turns in a row that really ended take a step back. */
const GOOD_TURNS = 3;
const MOST_STEPS = 2;

/**
 * How much longer than others a caller is given before their turn is over: twice as long with each time they went on
 * where an end was seen, and less again when that has not happened for a while.
 */
export class Patience {
  #steps = 0;
  #good = 0;
  #endedAt: number | undefined;

  get factor(): number {
    return 2 ** this.#steps;
  }

  /** An end was seen. Seen again before the caller has spoken again, it is the same. */
  ended(now: number): void {
    this.#endedAt ??= now;
  }

  /** The caller speaks. */
  began(now: number): void {
    if (this.#endedAt === undefined) return;
    const wentOn = now - this.#endedAt < TOO_SOON_MS;
    this.#endedAt = undefined;
    this.#good = wentOn ? 0 : this.#good + 1;
    if (wentOn) this.#steps = Math.min(this.#steps + 1, MOST_STEPS);
    else if (this.#good % GOOD_TURNS === 0) this.#steps = Math.max(0, this.#steps - 1);
  }
}
