import type { Log } from '../log.ts';
import type { FeedState } from '../scoring/feed.ts';
import type { ConversationScorer, Turn, TurnScore } from '../scoring/types.ts';
import { INITIAL_SATISFACTION } from '../scoring/types.ts';
import { type Clock, within } from './clock.ts';
import type { MetricRecord } from './outbox.ts';

export interface MetricsTickerDeps {
  readonly everyMs: number;
  /** Fast and always there; gives the row when the refining scorer is late. */
  readonly device: ConversationScorer;
  readonly refining?: ConversationScorer | undefined;
  turns(): Turn[];
  state(): FeedState;
  describe(turns: readonly Turn[], state: FeedState): string;
  onRow(row: MetricRecord): void;
  readonly clock: Clock;
  readonly log: Log;
}

/**
 * One row every five seconds, counted from the beginning and not from the last row: a late tick stays one
 * tick, and one that was missed altogether (a stopped process) is not made up for with an invented row. A
 * successor counts from the same beginning, so that it goes on at the same ticks and none has two rows.
 */
export class MetricsTicker {
  readonly #deps: MetricsTickerDeps;
  readonly #startedAt: number;
  #cancel: (() => void) | undefined;
  #abort = new AbortController();
  #stopped = false;

  constructor(deps: MetricsTickerDeps, startedAt: number) {
    this.#deps = deps;
    this.#startedAt = startedAt;
  }

  start(): void {
    this.#schedule();
  }

  stop(): void {
    this.#stopped = true;
    this.#cancel?.();
    this.#abort.abort();
  }

  #schedule(): void {
    if (this.#stopped) return;
    const { clock, everyMs } = this.#deps;
    const elapsed = clock.now() - this.#startedAt;
    const next = (Math.floor(elapsed / everyMs) + 1) * everyMs;
    this.#cancel = clock.after(next - elapsed, () => {
      void this.#tick(this.#startedAt + next);
      this.#schedule();
    });
  }

  async #tick(at: number): Promise<void> {
    try {
      const turns = this.#deps.turns();
      const feedText = this.#deps.describe(turns, this.#deps.state());
      const score = await this.#score(turns);
      if (this.#stopped) return;
      this.#deps.onRow({
        timestamp: new Date(at).toISOString(),
        sentiment: score.sentiment,
        satisfaction_score: score.satisfaction,
        feed_text: feedText,
      });
    } catch (err) {
      this.#deps.log.error({ err }, 'a metrics row could not be made');
    }
  }

  async #score(turns: Turn[]): Promise<TurnScore> {
    const { device, refining, clock, everyMs } = this.#deps;
    const options = { signal: this.#abort.signal };
    const quick = device.score(turns, options);
    // The refined score must be in the row of this tick, not of the next.
    const asked = refining?.score(turns, options).catch(() => undefined);
    const refined = asked ? await within(clock, everyMs * 0.8, asked) : undefined;
    const scores = refined ?? (await quick);
    return scores.at(-1) ?? { sentiment: 'neutral', satisfaction: INITIAL_SATISFACTION };
  }
}
