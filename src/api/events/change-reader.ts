import type { SupabaseClient } from '@supabase/supabase-js';
import { type Change, type ChangeWindow, readChanges } from '../../database/changes.ts';
import { FloorwalkerError } from '../../errors.ts';
import type { Log } from '../../log.ts';
import type { Clock } from './clock.ts';
import type { Position } from './position.ts';
import { parseSnapshot, type Snapshot } from './snapshot.ts';

/** A part of what was committed between two moments, in the order of its numbers. */
export interface ChangePage {
  readonly epoch: string;
  readonly from: Snapshot;
  readonly to: Snapshot;
  /** More of the same window follows. */
  readonly more: boolean;
  readonly changes: readonly Change[];
  /** By the database's clock. */
  readonly now: string;
}

export interface ChangeReaderDeps {
  readonly db: SupabaseClient;
  readonly log: Log;
  readonly clock: Clock;
  readonly pollMs: number;
  /** A page is read again when this fails: nothing of it may have been told then. */
  readonly onPage: (page: ChangePage) => Promise<void>;
  /** Something was lost between the last page and now; `position` is where it goes on. */
  readonly onLost: (position: Position) => Promise<void>;
  /** Since when the log can't be read; undefined when it can again. */
  readonly onTrouble: (sinceMs: number | undefined) => void;
}

const PAGE = 500;
const LONGEST_PAUSE_MS = 5_000;

function snapshotOf(text: string): Snapshot {
  const snapshot = parseSnapshot(text);
  if (snapshot === undefined) throw new FloorwalkerError('database_error', `no snapshot: ${text}`);
  return snapshot;
}

/** One page of a window whose ends are known. */
export async function readWindow(
  db: SupabaseClient,
  window: { epoch: string; from: Snapshot; to?: Snapshot | undefined; afterId?: number },
): Promise<ChangePage | undefined> {
  const read = await readChanges(db, {
    epoch: window.epoch,
    from: window.from.text,
    to: window.to?.text,
    afterId: window.afterId ?? 0,
    limit: PAGE,
  });
  return read.intact ? pageOf(read) : undefined;
}

function pageOf({ epoch, from, to, more, changes, now }: ChangeWindow): ChangePage {
  return { epoch, from: snapshotOf(from), to: snapshotOf(to), more, changes, now };
}

/** Reads the change log again and again, for everybody in this process. */
export class ChangeReader {
  readonly #deps: ChangeReaderDeps;
  #position: Position | undefined;
  #running: Promise<void> | undefined;
  #stopped = false;
  #failures = 0;
  #failingSinceMs: number | undefined;
  #wake: (() => void) | undefined;
  #nudged = false;

  constructor(deps: ChangeReaderDeps) {
    this.#deps = deps;
  }

  /** Up to where everything has been told; undefined before the first `begin`. */
  get position(): Position | undefined {
    return this.#position;
  }

  /**
   * Finds out where the log is now. What is committed from here on will be told.
   *
   * @throws FloorwalkerError `database_unavailable`
   */
  async begin(): Promise<Position> {
    const { epoch, to } = await readChanges(this.#deps.db);
    this.#position = { epoch, from: snapshotOf(to) };
    return this.#position;
  }

  /** Goes on reading until it is stopped. */
  start(): void {
    this.#running ??= this.#run();
  }

  /** There is probably news: look now. */
  nudge(): void {
    if (this.#failures > 0) return;
    this.#nudged = true;
    this.#wake?.();
  }

  async stop(): Promise<void> {
    this.#stopped = true;
    this.#wake?.();
    await this.#running;
  }

  async #run(): Promise<void> {
    while (!this.#stopped) {
      let more = false;
      try {
        more = await this.#step();
        this.#recovered();
      } catch (err) {
        this.#failed(err);
      }
      if (!more && !this.#stopped) await this.#pause();
    }
  }

  async #step(): Promise<boolean> {
    const { db, onPage, onLost } = this.#deps;
    const at = this.#position;
    if (at === undefined) return false;
    const window = { epoch: at.epoch, from: at.from, to: at.window?.to, afterId: at.window?.id ?? 0 };
    const page = await readWindow(db, window);
    if (this.#stopped) return false;
    if (page === undefined) {
      await onLost(await this.begin());
      return false;
    }
    await onPage(page);
    const last = page.changes.at(-1);
    this.#position =
      page.more && last !== undefined
        ? { epoch: page.epoch, from: page.from, window: { to: page.to, id: last.id } }
        : { epoch: page.epoch, from: page.to };
    return page.more;
  }

  async #pause(): Promise<void> {
    const { clock, pollMs } = this.#deps;
    const failing = this.#failures > 0;
    const longest = Math.min(LONGEST_PAUSE_MS, pollMs * 2 ** Math.min(this.#failures, 10));
    // Spread while it fails, so that a database that comes back does not meet all processes at once.
    const delayMs = failing ? longest * (0.5 + Math.random() / 2) : pollMs;
    if (this.#nudged && !failing) {
      this.#nudged = false;
      return;
    }
    await new Promise<void>((resolve) => {
      const cancel = clock.after(delayMs, resolve);
      this.#wake = () => {
        cancel();
        resolve();
      };
    });
    this.#wake = undefined;
    this.#nudged = false;
  }

  #failed(err: unknown): void {
    const { log, clock, onTrouble } = this.#deps;
    this.#failures += 1;
    if (this.#failingSinceMs === undefined) {
      this.#failingSinceMs = clock.now();
      log.warn({ err }, 'the change log can not be read; listeners are told nothing until it can');
    }
    onTrouble(this.#failingSinceMs);
  }

  #recovered(): void {
    const { log, clock, onTrouble } = this.#deps;
    if (this.#failingSinceMs === undefined) return;
    log.info({ afterMs: clock.now() - this.#failingSinceMs }, 'the change log can be read again');
    this.#failures = 0;
    this.#failingSinceMs = undefined;
    onTrouble(undefined);
  }
}
