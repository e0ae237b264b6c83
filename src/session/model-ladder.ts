import { APIError, type llm } from '@livekit/agents';
import type { Clock } from './clock.ts';

/** The model took the request and gave nothing (more) for too long. */
export class ModelHangs extends Error {
  constructor() {
    super('The model stopped answering.');
  }
}

export interface ModelLadderDeps {
  readonly primary: llm.LLM;
  /** Asked when the first one can't answer; `model_settings.fallback_model`. */
  readonly fallback?: llm.LLM | undefined;
  readonly clock: Clock;
  /** From 0 to 1; spreads the retries of many sessions. */
  readonly random?: () => number;
}

export interface LadderStep {
  readonly model: llm.LLM;
  /** To be waited before asking. */
  readonly pauseMs: number;
}

const FIRST_PAUSE_MS = 400;
/** A model that could not answer is not asked first again for so long; each turn would wait for its failure. */
const REST_MS = 60_000;

/**
 * Which model is asked next, when one can't answer: the same once more after a pause, then the fallback, twice as
 * well. An error that another try can't mend, or a model that hangs, is not tried again where there is another.
 */
export class ModelLadder {
  readonly #deps: ModelLadderDeps;
  #primaryRestsUntil = 0;

  constructor(deps: ModelLadderDeps) {
    this.#deps = deps;
  }

  /** The way up for one reply; the steps are taken with `first` and `after`. */
  begin(): Climb {
    const { primary, fallback, clock, random = Math.random } = this.#deps;
    const resting = fallback !== undefined && clock.now() < this.#primaryRestsUntil;
    const order = fallback === undefined ? [primary] : resting ? [fallback, primary] : [primary, fallback];
    return new Climb(order, random, {
      onGivenUp: (model) => {
        if (model === primary) this.#primaryRestsUntil = clock.now() + REST_MS;
      },
      onAnswered: (model) => {
        if (model === primary) this.#primaryRestsUntil = 0;
      },
    });
  }
}

interface ClimbEvents {
  onGivenUp(model: llm.LLM): void;
  onAnswered(model: llm.LLM): void;
}

/** The attempts at one reply. */
export class Climb {
  readonly #order: readonly llm.LLM[];
  readonly #random: () => number;
  readonly #events: ClimbEvents;
  #place = 0;
  #triesHere = 1;

  constructor(
    order: readonly [llm.LLM, ...llm.LLM[]] | readonly llm.LLM[],
    random: () => number,
    events: ClimbEvents,
  ) {
    this.#order = order;
    this.#random = random;
    this.#events = events;
  }

  get #model(): llm.LLM {
    const model = this.#order[this.#place];
    if (model === undefined) throw new Error('There is no model left to ask.');
    return model;
  }

  first(): LadderStep {
    return { model: this.#model, pauseMs: 0 };
  }

  /** What to do after a failure; undefined when nobody is left to ask. */
  after(error: unknown): LadderStep | undefined {
    const another = this.#place + 1 < this.#order.length;
    const pointless =
      (error instanceof APIError && !error.retryable) || (error instanceof ModelHangs && another);
    if (this.#triesHere < 2 && !pointless) {
      this.#triesHere += 1;
      return { model: this.#model, pauseMs: FIRST_PAUSE_MS * (0.5 + this.#random()) };
    }
    this.#events.onGivenUp(this.#model);
    if (!another) return undefined;
    this.#place += 1;
    this.#triesHere = 1;
    return { model: this.#model, pauseMs: 0 };
  }

  answered(): void {
    this.#events.onAnswered(this.#model);
  }
}
