import type { PartName } from './options.ts';

/** `x` is a ratio; the mean is what counts of `%`. */
export type Unit = 'ms' | 'MB' | 'kB' | 's' | 'lines' | 'x' | '%';

export interface Series {
  readonly part: PartName;
  readonly name: string;
  readonly unit: Unit;
  readonly values: number[];
}

export interface Failure {
  readonly part: PartName;
  readonly message: string;
}

/** Nearest rank: a value that was really measured, also when there are few. */
export function percentile(values: readonly number[], rank: number): number {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[Math.max(0, Math.ceil(rank * sorted.length) - 1)] ?? Number.NaN;
}

/** Everything a run has measured so far. One sample that fails is counted, and does not end the run. */
export class Measurements {
  readonly series: Series[] = [];
  readonly failures: Failure[] = [];
  /** What was left out, and why. */
  readonly notes: string[] = [];
  readonly #progress: (line: string) => void;

  constructor(progress: (line: string) => void) {
    this.#progress = progress;
  }

  add(part: PartName, name: string, value: number, unit: Unit = 'ms'): void {
    let series = this.series.find((known) => known.part === part && known.name === name);
    if (!series) {
      series = { part, name, unit, values: [] };
      this.series.push(series);
    }
    series.values.push(value);
  }

  /** Something could not be measured here, and that is no failure. */
  leaveOut(part: PartName, why: string): void {
    const note = `left out: ${part}: ${why}`;
    if (!this.notes.includes(note)) this.notes.push(note);
    this.#progress(note);
  }

  /** For whoever waits. */
  tell(line: string): void {
    this.#progress(line);
  }

  async repeat(part: PartName, times: number, sample: (nth: number) => Promise<void>): Promise<void> {
    for (let nth = 1; nth <= times; nth += 1) {
      this.#progress(`${part} ${nth}/${times}`);
      await this.attempt(part, () => sample(nth));
    }
  }

  async attempt(part: PartName, action: () => Promise<void>): Promise<void> {
    try {
      await action();
    } catch (error) {
      const message = error instanceof Error ? error.message : String(error);
      this.failures.push({ part, message });
      this.#progress(`${part} failed: ${message}`);
    }
  }
}
