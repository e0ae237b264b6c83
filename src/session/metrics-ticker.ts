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
  readFeed(turns: readonly Turn[]): (state: FeedState) => string;
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
  /** What was read and scored last: while nobody says anything there is nothing to work out anew. */
  #known: Known | undefined;

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
      const known = this.#read();
      const feedText = known.describe(this.#deps.state());
      const score = await this.#score(known);
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

  async #score({ turns, scores }: Known): Promise<TurnScore> {
    const { refining, clock, everyMs } = this.#deps;
    // The refined score must be in the row of this tick, not of the next.
    const asked = refining?.score(turns, { signal: this.#abort.signal }).catch(() => undefined);
    const refined = asked ? await within(clock, everyMs * 0.8, asked) : undefined;
    return (refined ?? (await scores)).at(-1) ?? { sentiment: 'neutral', satisfaction: INITIAL_SATISFACTION };
  }

  #read(): Known {
    const now = this.#deps.turns();
    if (this.#known && sameTurns(this.#known.turns, now)) return this.#known;
    const turns = [...now];
    const scores = this.#deps.device.score(turns, { signal: this.#abort.signal });
    const known = { turns, describe: this.#deps.readFeed(turns), scores };
    this.#known = known;
    scores.catch(() => {
      if (this.#known === known) this.#known = undefined;
    });
    return known;
  }
}

/** All that follows from what was said, and not from the moment. */
interface Known {
  readonly turns: Turn[];
  readonly describe: (state: FeedState) => string;
  readonly scores: Promise<TurnScore[]>;
}

function sameTurns(one: readonly Turn[], other: readonly Turn[]): boolean {
  return (
    one.length === other.length &&
    one.every(({ role, text }, place) => role === other[place]?.role && text === other[place]?.text)
  );
}
