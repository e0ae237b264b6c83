import type { Log } from '../log.ts';

const WINDOW_MS = 60_000;
/** Keys are server labels and kinds of trouble; far more than a process has. */
const MAX_KEYS = 5_000;

/**
 * Log lines that many interactions would write about the same thing at once. The first is written; those that
 * follow within a minute are counted, and the count goes with the next one.
 */
export class RepeatedLines {
  readonly #log: Log;
  readonly #windows = new Map<string, { untilMs: number; suppressed: number }>();

  constructor(log: Log) {
    this.#log = log;
  }

  write(level: 'info' | 'warn', key: string, fields: object, message: string): void {
    const nowMs = performance.now();
    const window = this.#windows.get(key);
    if (window !== undefined && nowMs < window.untilMs) {
      window.suppressed += 1;
      return;
    }
    if (this.#windows.size >= MAX_KEYS) this.#windows.clear();
    this.#windows.set(key, { untilMs: nowMs + WINDOW_MS, suppressed: 0 });
    const repeated = window?.suppressed ? { repeated: window.suppressed } : {};
    this.#log[level]({ ...fields, ...repeated }, message);
  }
}
