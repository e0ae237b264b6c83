import type { Log } from '../log.ts';
import type { FeedState } from '../scoring/feed.ts';
import type { ConversationScorer, Turn, TurnScore } from '../scoring/types.ts';
import { INITIAL_SATISFACTION } from '../scoring/types.ts';
import { type Clock, within } from './clock.ts';
import type { MetricRecord } from './outbox.ts';
import type { Ticks } from './ticks.ts';

export interface MetricsTickerDeps {
  readonly ticks: Ticks;
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

/** One row at each of the process's ticks, five seconds apart. */
export class MetricsTicker {
  readonly #deps: MetricsTickerDeps;
  #unsubscribe: (() => void) | undefined;
  #abort = new AbortController();
  #stopped = false;
  /** What was scored last: while nobody says anything there is nothing to work out anew. */
  #scored: { readonly turns: readonly Turn[]; readonly scores: Promise<TurnScore[]> } | undefined;

  constructor(deps: MetricsTickerDeps) {
    this.#deps = deps;
  }

  start(): void {
    this.#unsubscribe = this.#deps.ticks.subscribe((at) => void this.#tick(at));
  }

  stop(): void {
    this.#stopped = true;
    this.#unsubscribe?.();
    this.#abort.abort();
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
    const { refining, clock, everyMs } = this.#deps;
    const options = { signal: this.#abort.signal };
    const quick = this.#scoreOnDevice(turns);
    // The refined score must be in the row of this tick, not of the next.
    const asked = refining?.score(turns, options).catch(() => undefined);
    const refined = asked ? await within(clock, everyMs * 0.8, asked) : undefined;
    const scores = refined ?? (await quick);
    return scores.at(-1) ?? { sentiment: 'neutral', satisfaction: INITIAL_SATISFACTION };
  }

  #scoreOnDevice(turns: readonly Turn[]): Promise<TurnScore[]> {
    const known = this.#scored;
    if (known && sameTurns(known.turns, turns)) return known.scores;
    const scores = this.#deps.device.score(turns, { signal: this.#abort.signal });
    this.#scored = { turns: [...turns], scores };
    scores.catch(() => {
      this.#scored = undefined;
    });
    return scores;
  }
}

function sameTurns(one: readonly Turn[], other: readonly Turn[]): boolean {
  return (
    one.length === other.length &&
    one.every(({ role, text }, place) => role === other[place]?.role && text === other[place]?.text)
  );
}
