import { AsyncLocalStorage } from 'node:async_hooks';
import { isFloorwalkerError } from '../errors.ts';
import { type Clock, delay } from './clock.ts';

/** `stale`: another generation holds the interaction. `lost`: the outbox was full or closed. */
export type StoreResult = 'stored' | 'stale' | 'lost';

export interface LaneEntry {
  /** What it counts towards the size of a batch. */
  readonly characters: number;
  readonly settle: (result: StoreResult) => void;
}

export interface LaneDeps<Entry extends LaneEntry> {
  /** @returns a result for each; throws when the database can't be reached. */
  write(batch: readonly Entry[]): Promise<StoreResult[]>;
  /** A write takes long, and may never be answered; or it has failed. */
  onTrouble(): void;
  /** The database can't be reached. @param attempts in a row */
  onAway(err: unknown, attempts: number): void;
  /** The database refuses this record for good. */
  onRefused(entry: Entry, code: string): void;
  /** Nothing is left. */
  onEmpty(): void;
  readonly clock: Clock;
}

const RETRY_MS = [100, 250, 500, 1_000, 2_000, 4_000];
/** A write that takes longer may never be answered. */
const SLOW_WRITE_MS = 1_000;
const BATCH_SIZE = 500;
const BATCH_CHARACTERS = 1_000_000;

/** Writes entries in the order in which they came, a batch at a time, and each until it is stored or refused. */
export class OutboxLane<Entry extends LaneEntry> {
  readonly #deps: LaneDeps<Entry>;
  /** The work of all is nobody's, whoever's entry began it. */
  readonly #forAll = AsyncLocalStorage.snapshot();
  readonly #queue: Entry[] = [];
  #running = false;
  #attempts = 0;
  /** Halved while the database refuses a batch, down to the one record that it refuses. */
  #batchSize = BATCH_SIZE;
  #closed = false;

  constructor(deps: LaneDeps<Entry>) {
    this.#deps = deps;
  }

  /** What is not in the database yet, oldest first. */
  get waiting(): readonly Entry[] {
    return this.#queue;
  }

  /** The last write has failed. */
  get isAway(): boolean {
    return this.#attempts > 0;
  }

  add(entry: Entry): void {
    this.#queue.push(entry);
    if (this.#running) return;
    this.#running = true;
    // What is added in the same turn of the event loop goes in one batch.
    this.#forAll(() => setImmediate(() => void this.#drain()));
  }

  /** Gives up what is left. */
  close(): void {
    this.#closed = true;
    for (const entry of this.#queue.splice(0)) entry.settle('lost');
  }

  async #drain(): Promise<void> {
    const { clock, onEmpty, onTrouble, write } = this.#deps;
    while (this.#queue.length > 0 && !this.#closed) {
      const batch = this.#nextBatch();
      const cancel = clock.after(SLOW_WRITE_MS, onTrouble);
      try {
        const results = await write(batch);
        this.#attempts = 0;
        this.#batchSize = Math.min(BATCH_SIZE, this.#batchSize * 2);
        this.#queue.splice(0, batch.length);
        for (const [index, entry] of batch.entries()) entry.settle(results[index] ?? 'stored');
      } catch (err) {
        if (isFloorwalkerError(err) && err.code !== 'database_unavailable') this.#isolate(batch, err.code);
        else await this.#backOff(err);
      } finally {
        cancel();
      }
    }
    this.#running = false;
    if (!this.#closed) onEmpty();
  }

  #nextBatch(): Entry[] {
    const batch: Entry[] = [];
    let characters = 0;
    for (const entry of this.#queue) {
      characters += entry.characters;
      if (batch.length > 0 && (batch.length >= this.#batchSize || characters > BATCH_CHARACTERS)) break;
      batch.push(entry);
    }
    return batch;
  }

  /** The database refuses something in this batch for good: it is found by halving, and the others go on. */
  #isolate(batch: readonly Entry[], code: string): void {
    if (batch.length > 1) {
      this.#batchSize = Math.ceil(batch.length / 2);
      return;
    }
    const [entry] = this.#queue.splice(0, 1);
    if (!entry) return;
    this.#deps.onRefused(entry, code);
    entry.settle('lost');
  }

  async #backOff(err: unknown): Promise<void> {
    const { clock, onAway, onTrouble } = this.#deps;
    onTrouble();
    const delayMs = RETRY_MS[Math.min(this.#attempts, RETRY_MS.length - 1)] ?? 4_000;
    this.#attempts += 1;
    onAway(err, this.#attempts);
    await delay(clock, delayMs);
  }
}
