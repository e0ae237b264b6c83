import type { Config } from '../config.ts';
import { trimChanges } from '../database/changes.ts';
import type { Database } from '../database/client.ts';
import { elect, resign, type Seat } from '../database/elections.ts';
import { foldFigures, foldTracks, pairArchives } from '../database/folds.ts';
import { reapUnjoined } from '../database/leases.ts';
import { escalateRequests, expirePermissions } from '../database/permissions.ts';
import { applyRetention } from '../database/retention.ts';
import { loadPromptLibrary, PROMPTS_DIRECTORY } from '../definitions/prompts.ts';
import { isFloorwalkerError } from '../errors.ts';
import type { Log } from '../log.ts';
import type { Clock } from '../session/clock.ts';
import { Expulsions } from './expulsions.ts';
import { QueueNotices } from './queue-notices.ts';

/** The housekeeping of a process, with the queue's notices. */
export function createHousekeeping({
  config,
  ...deps
}: Omit<HousekeepingDeps, 'config' | 'queue' | 'expulsions'> & { readonly config: Config }): Housekeeping {
  const prompts = loadPromptLibrary(PROMPTS_DIRECTORY);
  return new Housekeeping({
    ...deps,
    config,
    queue: new QueueNotices({ ...deps, config, prompts }),
    expulsions: new Expulsions({ ...deps, config }),
  });
}

export interface HousekeepingDeps {
  readonly db: Database;
  readonly config: Pick<Config, 'figures'>;
  readonly queue: Pick<QueueNotices, 'look' | 'close'>;
  readonly expulsions: Pick<Expulsions, 'look'>;
  /** Names this process in the election; unlike any other. */
  readonly candidate: string;
  readonly clock: Clock;
  readonly log: Log;
}

const ROUND_MS = 3_000;
/** Five rounds: a process that died is replaced by then, and one that was only slow is not. */
const LEASE_SECONDS = 15;
const RETENTION_BATCH = 200;

/**
 * What one process does for all of them, elected in the database: permissions time out without a session that
 * watches them, those who wait are told their place, people who may not see a conversation any more are taken out of its
 * room, rooms that nobody came to are given up, and what a business no longer keeps is removed. Every worker and API stands for election in each round; whoever was elected renews.
 * Retention carries the term of its election, so that a process that was only stopped and wakes up beside its
 * successor is refused.
 */
export class Housekeeping {
  readonly #deps: HousekeepingDeps;
  #cancel: (() => void) | undefined;
  #stopped = true;
  #term: number | undefined;
  #retentionAt = 0;
  #working: Promise<void> = Promise.resolve();

  constructor(deps: HousekeepingDeps) {
    this.#deps = deps;
  }

  start(): void {
    if (!this.#stopped) return;
    this.#stopped = false;
    this.#schedule();
  }

  /** Finishes the round that is under way and gives the seat back. Safe before start and when repeated. */
  async stop(): Promise<void> {
    this.#stopped = true;
    this.#cancel?.();
    await this.#working;
    await this.#deps.queue.close();
    if (this.#term === undefined) return;
    const term = this.#term;
    this.#term = undefined;
    const { db, candidate, log } = this.#deps;
    await resign(db, { role: 'housekeeping', candidate, term }).catch((err: unknown) =>
      log.debug({ err }, 'the seat could not be given back; it is free when its lease is over'),
    );
  }

  #schedule(): void {
    if (this.#stopped) return;
    this.#cancel = this.#deps.clock.after(ROUND_MS * (0.75 + Math.random() / 2), () => {
      this.#working = this.#round().finally(() => this.#schedule());
    });
  }

  async #round(): Promise<void> {
    const { db, candidate, log } = this.#deps;
    try {
      const seat = await elect(db, { role: 'housekeeping', candidate, leaseSeconds: LEASE_SECONDS });
      this.#note(seat);
      if (!seat.elected) return await this.#deps.queue.close();
      await this.#watchDeadlines();
      await this.#deps.expulsions.look();
      await this.#reap();
      await trimChanges(this.#deps.db);
      await foldFigures(this.#deps.db);
      await foldTracks(this.#deps.db);
      await pairArchives(this.#deps.db);
      await this.#retain(seat.term);
    } catch (err) {
      log.warn({ err }, 'housekeeping could not be done; it is tried again in the next round');
    }
  }

  #note(seat: Seat): void {
    const { log } = this.#deps;
    if (seat.elected && this.#term !== seat.term) {
      // Whoever did it before may have been in the middle of a backlog.
      this.#retentionAt = 0;
      log.info({ term: seat.term }, 'elected for housekeeping');
    } else if (!seat.elected && this.#term !== undefined) {
      log.warn({ holder: seat.holder, term: seat.term }, 'another process does the housekeeping now');
    }
    this.#term = seat.elected ? seat.term : undefined;
  }

  async #watchDeadlines(): Promise<void> {
    const { db, config } = this.#deps;
    await expirePermissions(db);
    await escalateRequests(db, { afterSeconds: config.figures.escalationMs / 1000 });
  }

  async #reap(): Promise<void> {
    const { db, config, queue, log } = this.#deps;
    // Those that wait for a place of their agent must not be given up for that.
    const present = await queue.look();
    const reaped = await reapUnjoined(db, { afterSeconds: config.figures.joinTimeoutMs / 1000, present });
    if (reaped.length > 0)
      log.info({ interactions: reaped.length }, 'interactions that nobody joined were given up');
  }

  /** A batch a round while there is a backlog, so that it never holds up anything else; then a pause. */
  async #retain(term: number): Promise<void> {
    const { db, config, clock, log } = this.#deps;
    if (clock.now() < this.#retentionAt) return;
    try {
      const { more, ...removed } = await applyRetention(db, { limit: RETENTION_BATCH, term });
      const total = removed.interactions + removed.transcripts + removed.metrics + removed.customers;
      if (total > 0) log.info({ ...removed, more, term }, 'retention removed what is no longer kept');
      if (!more) this.#retentionAt = clock.now() + config.figures.retentionMs;
    } catch (err) {
      if (!isFloorwalkerError(err, 'term_over')) throw err;
      log.warn({ term }, 'retention was refused: another process was elected meanwhile');
      this.#term = undefined;
    }
  }
}
