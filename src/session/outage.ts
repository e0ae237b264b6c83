import type { Log } from '../log.ts';
import type { Recorder } from './recorder.ts';

export interface OutageDeps {
  /** The longest that a conversation goes on without the database. */
  readonly limitMs: number;
  readonly recorder: Recorder;
  /** Longer than that: the customer is told, and let go. */
  onTooLong(): void;
  readonly log: Log;
}

/**
 * The database is away in the middle of a conversation, which goes on: what is said and measured waits in the
 * outbox, tools wait for their rows. After a while that is no service any more.
 */
export class Outage {
  readonly #deps: OutageDeps;
  #noticed = false;
  #tooLong = false;

  constructor(deps: OutageDeps) {
    this.#deps = deps;
  }

  unreachable(forMs: number): void {
    const { limitMs, recorder, onTooLong, log } = this.#deps;
    if (!this.#noticed) {
      this.#noticed = true;
      recorder.step('database_away');
    }
    if (this.#tooLong || forMs < limitMs) return;
    this.#tooLong = true;
    log.error({ forMs }, 'the database is away for too long; the conversation is ended');
    onTooLong();
  }

  reached(afterMs: number): void {
    this.#noticed = false;
    this.#deps.recorder.step('database_back', { duration_ms: Math.round(afterMs) });
  }
}
