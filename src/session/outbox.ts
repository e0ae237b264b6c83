import { isFloorwalkerError } from '../errors.ts';
import type { Log } from '../log.ts';
import type { Clock } from './clock.ts';
import { type LaneEntry, OutboxLane, type StoreResult } from './outbox-lane.ts';

export type { StoreResult } from './outbox-lane.ts';

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

/** The two writes that the outbox batches, side by side; both throw when the database can't be reached. */
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

interface Entry extends Spooled, LaneEntry {}

export interface OutboxOptions {
  readonly sink: RecordSink;
  readonly clock: Clock;
  readonly log: Log;
  /** Entries kept while the database is away; past it the newest is refused and its session told. */
  readonly capacity?: number;
  /** Used while the database is away. */
  readonly spool?: Spool | undefined;
}

/** What a record other than a message counts. */
const CHARACTERS_OTHERWISE = 500;
/** One interaction must not take the room of all others while the database is away. */
const SHARE_ENTRIES = 5_000;
const SHARE_CHARACTERS = 8_000_000;

/**
 * Everything that sessions of a process write and need not wait for: in order, batched, kept with its
 * original times while the database is away. What is sent again after a lost answer is recognised by its id.
 *
 * Messages and steps have one order. Measurements go beside them: they have a moment of their own, and waiting for what
 * is being written would make them late.
 */
export class Outbox {
  readonly #options: OutboxOptions;
  readonly #records: OutboxLane<Entry>;
  readonly #metrics: OutboxLane<Entry>;
  readonly #capacity: number;
  #closed = false;
  #spooling = false;
  /** Of what waits, by interaction. */
  readonly #waiting = new Map<string, { entries: number; characters: number }>();

  constructor(options: OutboxOptions) {
    this.#options = options;
    this.#capacity = options.capacity ?? 50_000;
    this.#records = this.#lane((batch) => this.#writeRecords(batch));
    this.#metrics = this.#lane((batch) => this.#writeMetrics(batch));
  }

  /** Entries that are not in the database yet. */
  get depth(): number {
    return this.#records.waiting.length + this.#metrics.waiting.length;
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
    await Promise.all(
      [this.#records, this.#metrics].map(async (lane) => {
        const last = lane.waiting.at(-1);
        if (last) await this.#enqueue(lane, last.key, {}, 0);
      }),
    );
  }

  /** Gives up what is left; for the end of a process after its last flush. */
  close(): void {
    this.#closed = true;
    this.#records.close();
    this.#metrics.close();
  }

  #lane(write: (batch: readonly Entry[]) => Promise<StoreResult[]>): OutboxLane<Entry> {
    return new OutboxLane<Entry>({
      write,
      onTrouble: () => this.#beginSpooling(),
      onAway: (err, attempts) => this.#tellAway(err, attempts),
      onRefused: ({ key, message, step }, code) =>
        // The error's own text may quote the record, which is what somebody said.
        this.#options.log.error(
          { code, interaction: key.interactionId, record: message?.item_id ?? step?.step_id },
          'the database refuses a record; it was dropped',
        ),
      onEmpty: () => this.#endSpooling(),
      clock: this.#options.clock,
    });
  }

  #add(key: RecordKey, record: Pick<Entry, 'message' | 'step' | 'metric'>): Promise<StoreResult> {
    if (this.depth >= this.#capacity) return Promise.resolve('lost');
    const waiting = this.#waiting.get(key.interactionId);
    const hasShare = !waiting || (waiting.entries < SHARE_ENTRIES && waiting.characters < SHARE_CHARACTERS);
    if (!hasShare) return Promise.resolve('lost');
    const lane = record.metric ? this.#metrics : this.#records;
    return this.#enqueue(lane, key, record, record.message?.content.length ?? CHARACTERS_OTHERWISE);
  }

  #enqueue(
    lane: OutboxLane<Entry>,
    key: RecordKey,
    record: Pick<Entry, 'message' | 'step' | 'metric'>,
    characters: number,
  ): Promise<StoreResult> {
    if (this.#closed) return Promise.resolve('lost');
    const waiting = this.#waiting.get(key.interactionId) ?? { entries: 0, characters: 0 };
    waiting.entries += 1;
    waiting.characters += characters;
    this.#waiting.set(key.interactionId, waiting);
    return new Promise((resolve) => {
      const settle = (result: StoreResult): void => {
        this.#settled(key, characters);
        resolve(result);
      };
      const entry = { key, settle, characters, ...record };
      if (this.#spooling) this.#options.spool?.keep([spooled(entry)]);
      lane.add(entry);
    });
  }

  #settled({ interactionId }: RecordKey, characters: number): void {
    const waiting = this.#waiting.get(interactionId);
    if (!waiting) return;
    waiting.entries -= 1;
    waiting.characters -= characters;
    if (waiting.entries <= 0) this.#waiting.delete(interactionId);
  }

  async #writeRecords(batch: readonly Entry[]): Promise<StoreResult[]> {
    const groups = new Map<string, RecordBatch>();
    for (const { key, message, step } of batch) {
      const id = groupId(key);
      const group = groups.get(id) ?? { ...rowKey(key), messages: [], steps: [] };
      groups.set(id, group);
      if (message) group.messages.push(message);
      if (step) group.steps.push(step);
    }
    const records = [...groups.values()].filter((group) => group.messages.length + group.steps.length > 0);
    const answers = records.length > 0 ? await this.#options.sink.appendRecords(records) : [];
    const refused = new Set(
      answers.filter((answer) => !answer.stored).map((answer) => answer.interaction_id),
    );
    return batch.map(({ key }) => (refused.has(key.interactionId) ? 'stale' : 'stored'));
  }

  async #writeMetrics(batch: readonly Entry[]): Promise<StoreResult[]> {
    const rows = batch.flatMap(({ key, metric }) => (metric ? [{ ...rowKey(key), ...metric }] : []));
    if (rows.length > 0) await this.#options.sink.recordMetrics(rows);
    return batch.map(() => 'stored');
  }

  #beginSpooling(): void {
    if (this.#spooling) return;
    this.#spooling = true;
    this.#options.spool?.keep([...this.#records.waiting, ...this.#metrics.waiting].map(spooled));
  }

  /** What was given up is left for the worker. */
  #endSpooling(): void {
    if (!this.#spooling || this.#closed || this.depth > 0) return;
    this.#options.spool?.clear();
    this.#spooling = false;
  }

  /** The first failure and then one line a minute: an outage must not flood the log as well. */
  #tellAway(err: unknown, attempts: number): void {
    const alone = !(this.#records.isAway && this.#metrics.isAway);
    if (!(attempts === 1 && alone) && attempts % 15 !== 0) return;
    const code = isFloorwalkerError(err) ? err.code : 'unknown';
    this.#options.log.warn({ code, waiting: this.depth, attempts }, 'records wait for the database');
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
