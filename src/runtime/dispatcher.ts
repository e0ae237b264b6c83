import type { Config } from '../config.ts';
import type { Database } from '../database/client.ts';
import { type ClaimableInteraction, claimableInteractions } from '../database/leases.ts';
import type { Channel } from '../domain/channel.ts';
import type { Log } from '../log.ts';
import type { Clock } from '../session/clock.ts';
import type { Summon } from './summon.ts';

export interface DispatcherDeps {
  readonly db: Database;
  readonly config: Config;
  readonly summon: Summon;
  /** How many more this worker could take; a dispatch that nobody can take only wastes LiveKit's one attempt. */
  places(channel: Channel): number;
  readonly clock: Clock;
  readonly log: Log;
}

/** Part of what a customer waits for when a worker and its processes die together: lease, round, dispatch. */
const ROUND_MS = 500;
/**
 * A dispatch that was made has this long to become a claim before it is made again. LiveKit may offer it to a
 * worker that was stopped or cut off, and waits long for its answer; the next one may go elsewhere.
 */
const PATIENCE_MS = 1_500;
const MOST_TRIES = 3;

/**
 * LiveKit tries a dispatch once and forgets it: with no worker free, or when a worker dies, nobody comes.
 * Each worker therefore looks for interactions that wait for one and dispatches them again, until one is
 * claimed. Two workers that dispatch the same one do no harm: a claim succeeds once.
 */
export class Dispatcher {
  readonly #deps: DispatcherDeps;
  /** When an interaction's generation was last dispatched, and how often; the key changes with each claim. */
  readonly #tried = new Map<string, { at: number; times: number }>();
  #cancel: (() => void) | undefined;
  #unanswered = false;
  #holdersRenewUntil = 0;
  #stopped = true;
  #busy = false;
  #hurried = false;
  #working: Promise<void> = Promise.resolve();

  constructor(deps: DispatcherDeps) {
    this.#deps = deps;
  }

  start(): void {
    if (!this.#stopped) return;
    this.#stopped = false;
    this.#schedule();
  }

  async stop(): Promise<void> {
    this.#stopped = true;
    this.#cancel?.();
    await this.#working;
  }

  /** Something waits for a worker: looks at once. */
  hurry(): void {
    if (this.#stopped) return;
    if (this.#busy) {
      this.#hurried = true;
      return;
    }
    this.#cancel?.();
    this.#begin();
  }

  #schedule(): void {
    if (this.#stopped) return;
    // Workers of a fleet that were started together must not ask together for ever.
    const delayMs = this.#hurried ? 0 : ROUND_MS * (0.75 + Math.random() / 2);
    this.#hurried = false;
    this.#cancel = this.#deps.clock.after(delayMs, () => this.#begin());
  }

  #begin(): void {
    this.#busy = true;
    this.#working = this.#work().finally(() => {
      this.#busy = false;
      this.#schedule();
    });
  }

  async #work(): Promise<void> {
    const { db, log } = this.#deps;
    try {
      const waiting = await claimableInteractions(db);
      this.#forget(waiting);
      this.#noteAnswer();
      const left = { voice: this.#deps.places('voice'), chat: this.#deps.places('chat') };
      for (const interaction of waiting) {
        const channel = interaction.agent_type;
        if (this.#mayBeRenewed(interaction) || left[channel] <= 0) continue;
        // The longest waiting come first, and no more are called than have a place; but one that could not be had
        // several times does not keep the others from their turn.
        if (this.#triesOf(interaction) < MOST_TRIES) left[channel] -= 1;
        await this.#dispatch(interaction);
      }
    } catch (err) {
      this.#unanswered = true;
      log.warn({ err }, 'waiting interactions could not be looked for');
    }
  }

  #noteAnswer(): void {
    if (!this.#unanswered) return;
    this.#unanswered = false;
    this.#holdersRenewUntil = this.#deps.clock.now() + this.#deps.config.figures.leaseMs;
  }

  /** While the database was away no lease could be renewed. Those who held one come first when it is back. */
  #mayBeRenewed({ generation }: ClaimableInteraction): boolean {
    return generation > 0 && this.#deps.clock.now() < this.#holdersRenewUntil;
  }

  async #dispatch(interaction: ClaimableInteraction): Promise<void> {
    const { clock, log } = this.#deps;
    const key = dispatchKey(interaction);
    const tried = this.#tried.get(key);
    // The API has just dispatched it; its job may be on the way.
    if (interaction.generation === 0 && interaction.waited_seconds * 1000 < PATIENCE_MS) return;
    if (tried !== undefined && clock.now() - tried.at < PATIENCE_MS) return;
    this.#tried.set(key, { at: clock.now(), times: (tried?.times ?? 0) + 1 });
    const { interaction_id, room } = interaction;
    try {
      await this.#deps.summon({ channel: interaction.agent_type, interactionId: interaction_id, room });
      log.info(
        { interaction: interaction_id, attempts: interaction.claim_attempts },
        'waiting interaction dispatched again',
      );
    } catch (err) {
      log.warn({ err, interaction: interaction_id }, 'waiting interaction could not be dispatched');
    }
  }

  #forget(waiting: readonly ClaimableInteraction[]): void {
    const keys = new Set(waiting.map(dispatchKey));
    for (const key of this.#tried.keys()) if (!keys.has(key)) this.#tried.delete(key);
  }

  #triesOf(interaction: ClaimableInteraction): number {
    return this.#tried.get(dispatchKey(interaction))?.times ?? 0;
  }
}

function dispatchKey({ interaction_id, generation }: ClaimableInteraction): string {
  return `${interaction_id}/${generation}`;
}
