import { AsyncLocalStorage } from 'node:async_hooks';
import { isFloorwalkerError } from '../errors.ts';
import type { Log } from '../log.ts';
import { type Clock, delay } from './clock.ts';

/** Where records of one interaction go; the generation fences a session that has lost its lease. */
export interface RecordKey {
  readonly interactionId: string;
  readonly generation: number;
}

export interface MessageRecord {
  readonly item_id: string;
  readonly role: 'customer' | 'agent' | 'supervisor' | 'system';
  readonly content: string;
  readonly interrupted?: boolean;
  /** ISO 8601, when it was said, which may be long before the database could be reached. */
  readonly spoken_at: string;
  readonly metadata?: Record<string, unknown>;
}

export interface StepRecord {
  readonly step_id: string;
  readonly step_type: string;
  readonly name?: string;
  readonly input?: unknown;
  readonly output?: unknown;
  readonly duration_ms?: number;
  readonly model?: string;
  readonly tokens_input?: number;
  readonly tokens_output?: number;
  readonly characters?: number;
  readonly audio_seconds?: number;
  readonly error?: unknown;
  readonly happened_at: string;
}

export interface MetricRecord {
  readonly timestamp: string;
  readonly sentiment: 'good' | 'neutral' | 'critical';
  readonly satisfaction_score: number;
  readonly feed_text: string;
}

export interface RecordBatch {
  readonly interaction_id: string;
  readonly generation: number;
  readonly messages: MessageRecord[];
  readonly steps: StepRecord[];
}

export interface MetricRow extends MetricRecord {
  readonly interaction_id: string;
  readonly generation: number;
}

/** The two writes that the outbox batches; both throw when the database can't be reached. */
export interface RecordSink {
  appendRecords(
    batch: RecordBatch[],
  ): Promise<{ interaction_id: string; stored: boolean; reason?: string | undefined }[]>;
  recordMetrics(rows: MetricRow[]): Promise<void>;
}

/** A record as another process could store it. */
export interface Spooled {
  readonly key: RecordKey;
  readonly message?: MessageRecord;
  readonly step?: StepRecord;
  readonly metric?: MetricRecord;
}

/** Keeps what waits for the database beyond the death of this process. */
export interface Spool {
  keep(records: readonly Spooled[]): void;
  /** All of it is stored. */
  clear(): void;
}

interface Entry extends Spooled {
  readonly characters: number;
  readonly settle: (result: StoreResult) => void;
}

/** `stale`: another generation holds the interaction. `lost`: the outbox was full or closed. */
export type StoreResult = 'stored' | 'stale' | 'lost';

export interface OutboxOptions {
  readonly sink: RecordSink;
  readonly clock: Clock;
  readonly log: Log;
  /** Entries kept while the database is away; past it the newest is refused and its session told. */
  readonly capacity?: number;
  /** Used while the database is away. */
  readonly spool?: Spool | undefined;
}

const RETRY_MS = [100, 250, 500, 1_000, 2_000, 4_000];
/** A write that takes longer may never be answered. */
const SLOW_WRITE_MS = 1_000;
const BATCH_SIZE = 500;
const BATCH_CHARACTERS = 1_000_000;
/** What a record other than a message counts. */
const CHARACTERS_OTHERWISE = 500;
/** One interaction must not take the room of all others while the database is away. */
const SHARE_ENTRIES = 5_000;
const SHARE_CHARACTERS = 8_000_000;

/**
 * Everything that sessions of a process write and need not wait for: in order, batched, kept with its
 * original times while the database is away. What is sent again after a lost answer is recognised by its id.
 */
export class Outbox {
  readonly #options: OutboxOptions;
  /** The work of all is nobody's, whoever's record began it. */
  readonly #forAll = AsyncLocalStorage.snapshot();
  readonly #capacity: number;
  #queue: Entry[] = [];
  #running = false;
  #failures = 0;
  /** Halved while the database refuses a batch, down to the one record that it refuses. */
  #batchSize = BATCH_SIZE;
  #closed = false;
  #spooling = false;
  /** Of what waits, by interaction. */
  readonly #waiting = new Map<string, { entries: number; characters: number }>();

  constructor(options: OutboxOptions) {
    this.#options = options;
    this.#capacity = options.capacity ?? 50_000;
  }

  /** Entries that are not in the database yet. */
  get depth(): number {
    return this.#queue.length;
  }

  /** Of this interaction's records that are not in the database yet. */
  waitingCharacters({ interactionId }: RecordKey): number {
    return this.#waiting.get(interactionId)?.characters ?? 0;
  }

  message(key: RecordKey, message: MessageRecord): Promise<StoreResult> {
    return this.#add(key, { message });
  }

  step(key: RecordKey, step: StepRecord): Promise<StoreResult> {
    return this.#add(key, { step });
  }

  metric(key: RecordKey, metric: MetricRecord): Promise<StoreResult> {
    return this.#add(key, { metric });
  }

  /** A record that another process could not store any more. */
  restore({ key, ...record }: Spooled): Promise<StoreResult> {
    return this.#add(key, record);
  }

  /** Resolves when everything that was added before is in the database, or can't be any more. */
  async flushed(): Promise<void> {
    const last = this.#queue.at(-1);
    if (!last) return;
    await this.#add(last.key, {});
  }

  /** Gives up what is left; for the end of a process after its last flush. */
  close(): void {
    this.#closed = true;
    for (const entry of this.#queue.splice(0)) entry.settle('lost');
  }

  #add(key: RecordKey, record: Pick<Entry, 'message' | 'step' | 'metric'>): Promise<StoreResult> {
    if (this.#closed || this.#queue.length >= this.#capacity) return Promise.resolve('lost');
    const isMark = !record.message && !record.step && !record.metric;
    const characters = isMark ? 0 : (record.message?.content.length ?? CHARACTERS_OTHERWISE);
    const waiting = this.#waiting.get(key.interactionId) ?? { entries: 0, characters: 0 };
    const hasShare = waiting.entries < SHARE_ENTRIES && waiting.characters < SHARE_CHARACTERS;
    if (!isMark && !hasShare) return Promise.resolve('lost');
    waiting.entries += 1;
    waiting.characters += characters;
    this.#waiting.set(key.interactionId, waiting);
    return new Promise((resolve) => {
      const settle = (result: StoreResult): void => {
        this.#settled(key, characters);
        resolve(result);
      };
      const entry = { key, settle, characters, ...record };
      this.#queue.push(entry);
      if (this.#spooling) this.#options.spool?.keep([spooled(entry)]);
      this.#run();
    });
  }

  #settled({ interactionId }: RecordKey, characters: number): void {
    const waiting = this.#waiting.get(interactionId);
    if (!waiting) return;
    waiting.entries -= 1;
    waiting.characters -= characters;
    if (waiting.entries <= 0) this.#waiting.delete(interactionId);
  }

  #run(): void {
    if (this.#running) return;
    this.#running = true;
    // What is added in the same turn of the event loop goes in one batch.
    this.#forAll(() => setImmediate(() => void this.#drain()));
  }

  async #drain(): Promise<void> {
    while (this.#queue.length > 0 && !this.#closed) {
      const batch = this.#nextBatch();
      const cancel = this.#options.clock.after(SLOW_WRITE_MS, () => this.#beginSpooling());
      try {
        const results = await this.#write(batch);
        this.#failures = 0;
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
    // What was given up is left for the worker.
    if (this.#spooling && !this.#closed) this.#options.spool?.clear();
    this.#spooling = false;
    this.#running = false;
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
  #isolate(batch: Entry[], code: string): void {
    if (batch.length > 1) {
      this.#batchSize = Math.ceil(batch.length / 2);
      return;
    }
    const [entry] = this.#queue.splice(0, 1);
    // The error's own text may quote the record, which is what somebody said.
    const fields = {
      code,
      interaction: entry?.key.interactionId,
      record: entry?.message?.item_id ?? entry?.step?.step_id,
    };
    this.#options.log.error(fields, 'the database refuses a record; it was dropped');
    entry?.settle('lost');
  }

  async #write(batch: Entry[]): Promise<StoreResult[]> {
    const groups = new Map<string, RecordBatch>();
    const metrics: MetricRow[] = [];
    for (const { key, message, step, metric } of batch) {
      const id = groupId(key);
      const group = groups.get(id) ?? { ...rowKey(key), messages: [], steps: [] };
      groups.set(id, group);
      if (message) group.messages.push(message);
      if (step) group.steps.push(step);
      if (metric) metrics.push({ ...rowKey(key), ...metric });
    }
    const records = [...groups.values()].filter((group) => group.messages.length + group.steps.length > 0);
    const answers = records.length > 0 ? await this.#options.sink.appendRecords(records) : [];
    if (metrics.length > 0) await this.#options.sink.recordMetrics(metrics);
    const refused = new Set(
      answers.filter((answer) => !answer.stored).map((answer) => answer.interaction_id),
    );
    return batch.map(({ key }) => (refused.has(key.interactionId) ? 'stale' : 'stored'));
  }

  #beginSpooling(): void {
    if (this.#spooling) return;
    this.#spooling = true;
    this.#options.spool?.keep(this.#queue.map(spooled));
  }

  async #backOff(err: unknown): Promise<void> {
    this.#beginSpooling();
    const delayMs = RETRY_MS[Math.min(this.#failures, RETRY_MS.length - 1)] ?? 4_000;
    this.#failures += 1;
    // The first failure and then one line a minute: an outage must not flood the log as well.
    if (this.#failures === 1 || this.#failures % 15 === 0) {
      const { log } = this.#options;
      const code = isFloorwalkerError(err) ? err.code : 'unknown';
      log.warn(
        { code, waiting: this.#queue.length, attempts: this.#failures },
        'records wait for the database',
      );
    }
    await delay(this.#options.clock, delayMs);
  }
}

function spooled({ settle: _settle, characters: _characters, ...record }: Entry): Spooled {
  return record;
}

function groupId(key: RecordKey): string {
  return `${key.interactionId}/${key.generation}`;
}

function rowKey(key: RecordKey): { interaction_id: string; generation: number } {
  return { interaction_id: key.interactionId, generation: key.generation };
}
