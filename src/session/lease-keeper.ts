import { AsyncLocalStorage } from 'node:async_hooks';
import type { Log } from '../log.ts';
import type { Clock } from './clock.ts';
import type { RecordKey } from './outbox.ts';

/** A claim as its keeper knows it: which worker holds which generation. */
export interface LeaseKey extends RecordKey {
  readonly workerId: string;
}

/** What a poll says of one interaction; the database is asked once for all interactions of the process. */
export interface PolledSession {
  readonly interaction_id: string;
  /** False when another generation holds the interaction: this session must fall silent and leave. */
  readonly held: boolean;
}

export interface LeaseKeeperDeps<Polled extends PolledSession> {
  poll(leases: LeaseKey[]): Promise<Polled[]>;
  heartbeat(leases: LeaseKey[]): Promise<PolledSession[]>;
  readonly pollMs: number;
  readonly heartbeatMs: number;
  readonly leaseMs: number;
  readonly clock: Clock;
  readonly log: Log;
}

export interface LeaseHandlers<Polled> {
  onPolled(row: Polled): void;
  onLost(): void;
  /** The database gives no answer, for so long by now; told again with each attempt. */
  onUnreachable?(forMs: number): void;
  /** It answers again, and the lease is renewed. */
  onReached?(afterMs: number): void;
}

interface Held<Polled> {
  readonly key: LeaseKey;
  readonly handlers: LeaseHandlers<Polled>;
  confirmedAt: number;
  lost: boolean;
}

/**
 * Keeps the leases of a process's sessions and asks for news of them: one heartbeat and one poll for all of
 * them. A doorbell only brings the next poll forward, so that a lost or a forged one changes nothing.
 */
export class LeaseKeeper<Polled extends PolledSession> {
  readonly #deps: LeaseKeeperDeps<Polled>;
  /** The work of all is nobody's, whoever's session began it. */
  readonly #forAll = AsyncLocalStorage.snapshot();
  readonly #held = new Map<string, Held<Polled>>();
  #cancelPoll: (() => void) | undefined;
  #cancelBeat: (() => void) | undefined;
  #polling: Promise<void> | undefined;
  #beating: Promise<void> | undefined;
  #rungWhilePolling = false;
  #stopped = true;
  /** Since when the database gives no answer; undefined again when it has renewed the leases. */
  #failingSince: number | undefined;

  constructor(deps: LeaseKeeperDeps<Polled>) {
    this.#deps = deps;
  }

  /** Registers a claimed interaction; the returned function lets go of it. */
  keep(key: LeaseKey, handlers: LeaseHandlers<Polled>): () => void {
    const confirmedAt = this.#deps.clock.now();
    this.#held.set(key.interactionId, { key, handlers, confirmedAt, lost: false });
    this.#start();
    return () => {
      if (this.#held.get(key.interactionId)?.key === key) this.#held.delete(key.interactionId);
      if (this.#held.size === 0) this.#stop();
    };
  }

  /**
   * True while nobody else can have claimed the interaction. While the database can't be reached nobody can,
   * so a missing heartbeat alone does not end a conversation; a process that was stopped and wakes up finds
   * its confirmation too old, and is silent until the next answer.
   */
  holds(interactionId: string): boolean {
    const held = this.#held.get(interactionId);
    if (!held || held.lost) return false;
    // An outage keeps what was held when it began; it does not give back what had run out before.
    const at = this.#failingSince ?? this.#deps.clock.now();
    return at - held.confirmedAt < this.#deps.leaseMs;
  }

  /**
   * Renews the leases now; true when the interaction is still held. With an answer of the database nobody else can
   * claim it for most of a lease from now on; without one it is as true as `holds`.
   */
  async confirm(interactionId: string): Promise<boolean> {
    await this.#beat();
    return this.holds(interactionId);
  }

  /** False while the database is known to be away. */
  get databaseAnswers(): boolean {
    return this.#failingSince === undefined;
  }

  /** Somebody rang: asks at once, and once more when a poll is already on its way. */
  ring(): void {
    if (this.#stopped) return;
    if (this.#polling) {
      this.#rungWhilePolling = true;
      return;
    }
    this.#cancelPoll?.();
    void this.#forAll(() => this.#poll());
  }

  /** One poll now; resolves when its news has been delivered. */
  async refresh(): Promise<void> {
    await (this.#polling ?? this.#poll());
  }

  #start(): void {
    if (!this.#stopped) return;
    this.#stopped = false;
    this.#forAll(() => {
      this.#schedulePoll();
      this.#scheduleBeat();
    });
  }

  #stop(): void {
    this.#stopped = true;
    this.#cancelPoll?.();
    this.#cancelBeat?.();
  }

  #schedulePoll(): void {
    this.#cancelPoll?.();
    if (!this.#stopped) this.#cancelPoll = this.#deps.clock.after(this.#deps.pollMs, () => void this.#poll());
  }

  #scheduleBeat(): void {
    this.#cancelBeat?.();
    if (!this.#stopped) {
      this.#cancelBeat = this.#deps.clock.after(this.#deps.heartbeatMs, () => void this.#beat());
    }
  }

  #poll(): Promise<void> {
    const asked = (): Promise<unknown> =>
      this.#ask(this.#deps.poll, (held, row) => held.handlers.onPolled(row));
    this.#polling ??= asked().then(() => {
      this.#polling = undefined;
      if (this.#rungWhilePolling) {
        this.#rungWhilePolling = false;
        void this.#poll();
      } else {
        this.#schedulePoll();
      }
    });
    return this.#polling;
  }

  #beat(): Promise<void> {
    this.#beating ??= this.#renew().finally(() => {
      this.#beating = undefined;
      this.#scheduleBeat();
    });
    return this.#beating;
  }

  async #renew(): Promise<void> {
    const askedAt = this.#deps.clock.now();
    const answered = await this.#ask(this.#deps.heartbeat, (held) => {
      held.confirmedAt = askedAt;
    });
    if (!answered || this.#failingSince === undefined) return;
    const afterMs = this.#deps.clock.now() - this.#failingSince;
    this.#failingSince = undefined;
    this.#deps.log.info({ afterMs }, 'the database answers again; the leases are renewed');
    this.#tell((handlers) => handlers.onReached?.(afterMs));
  }

  /** @returns whether there was an answer. */
  async #ask<Row extends PolledSession>(
    query: (leases: LeaseKey[]) => Promise<Row[]>,
    deliver: (held: Held<Polled>, row: Row) => void,
  ): Promise<boolean> {
    const keys = [...this.#held.values()].map((held) => held.key);
    if (keys.length === 0) return true;
    const askedAt = this.#deps.clock.now();
    let rows: Row[];
    try {
      rows = await query(keys);
    } catch (err) {
      this.#failed(askedAt, err, keys.length);
      return false;
    }
    for (const row of rows) this.#deliver(row, deliver);
    // Leases ran out meanwhile; until they are renewed they hold only because nobody could claim them either.
    if (this.#failingSince !== undefined && query !== this.#deps.heartbeat) void this.#beat();
    return true;
  }

  #failed(askedAt: number, err: unknown, sessions: number): void {
    const now = this.#deps.clock.now();
    if (this.#failingSince === undefined) {
      this.#deps.log.warn({ err, sessions }, 'the database can not be asked for news');
      // A question that took longer than it may was asked before this process was stopped: that was no outage.
      this.#failingSince = now - askedAt > this.#deps.leaseMs ? now : askedAt;
    }
    const forMs = now - this.#failingSince;
    this.#tell((handlers) => handlers.onUnreachable?.(forMs));
  }

  #tell(what: (handlers: LeaseHandlers<Polled>) => void): void {
    for (const { handlers, lost, key } of [...this.#held.values()]) {
      try {
        if (!lost) what(handlers);
      } catch (err) {
        this.#deps.log.error({ err, interaction: key.interactionId }, 'a session could not take its news');
      }
    }
  }

  #deliver<Row extends PolledSession>(row: Row, deliver: (held: Held<Polled>, row: Row) => void): void {
    const held = this.#held.get(row.interaction_id);
    if (!held || held.lost) return;
    // One session's trouble with its news is not another's.
    try {
      if (row.held) {
        deliver(held, row);
      } else {
        held.lost = true;
        held.handlers.onLost();
      }
    } catch (err) {
      this.#deps.log.error({ err, interaction: row.interaction_id }, 'a session could not take its news');
    }
  }
}
