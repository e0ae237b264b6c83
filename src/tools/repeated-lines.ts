import type { Log } from '../log.ts';

/** Trouble that goes on is worth a reminder after one minute, four, sixteen, and then every hour. */
const WINDOW_MS = 60_000;
const GROWTH = 4;
const MAX_WINDOW_MS = 3_600_000;
/** Keys are server labels and kinds of trouble; far more than a process has. */
const MAX_KEYS = 5_000;

interface Window {
  untilMs: number;
  lengthMs: number;
  suppressed: number;
}

/**
 * Log lines that many interactions would write about the same thing at once. The first is written; those that
 * follow within a minute are counted, and the count goes with the next one, each time after a longer while.
 */
export class RepeatedLines {
  readonly #log: Log;
  readonly #nowMs: () => number;
  readonly #windows = new Map<string, Window>();

  constructor(log: Log, nowMs: () => number = () => performance.now()) {
    this.#log = log;
    this.#nowMs = nowMs;
  }

  write(level: 'info' | 'warn', key: string, fields: object, message: string): void {
    const nowMs = this.#nowMs();
    const window = this.#windows.get(key);
    if (window !== undefined && nowMs < window.untilMs) {
      window.suppressed += 1;
      return;
    }
    if (this.#windows.size >= MAX_KEYS) this.#windows.clear();
    const goesOn = window !== undefined && nowMs < window.untilMs + window.lengthMs;
    const lengthMs = goesOn ? Math.min(window.lengthMs * GROWTH, MAX_WINDOW_MS) : WINDOW_MS;
    this.#windows.set(key, { untilMs: nowMs + lengthMs, lengthMs, suppressed: 0 });
    const repeated = window?.suppressed ? { repeated: window.suppressed } : {};
    this.#log[level]({ ...fields, ...repeated }, message);
  }

  /** It is over: the next time is news again. */
  forget(key: string): void {
    this.#windows.delete(key);
  }
}
