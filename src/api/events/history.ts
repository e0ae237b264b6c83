import type { Position } from './position.ts';
import { hasSeen } from './position.ts';
import { covers, type Snapshot } from './snapshot.ts';

/** An event as it is sent, with what decides who gets it. */
export interface TellableEvent {
  readonly change: { readonly id: number; readonly xid: bigint };
  readonly name: string;
  readonly agentId: string;
  readonly interactionId: string | null;
  readonly frame: Buffer;
}

interface Stretch {
  readonly from: Snapshot;
  to: Snapshot;
  readonly sinceMs: number;
  readonly events: TellableEvent[];
  bytes: number;
}

const KEPT_MS = 600_000;
const MOST_EVENTS = 20_000;
const MOST_BYTES = 16 * 1_024 * 1_024;

/**
 * What was told lately, without a gap, so that whoever comes back after a moment is served from memory. The database
 * is asked only for what lies before it, and then once for all who come back.
 */
export class History {
  #stretches: Stretch[] = [];
  #events = 0;
  #bytes = 0;

  /** The moment from which on everything is here. */
  get since(): Snapshot | undefined {
    return this.#stretches[0]?.from;
  }

  clear(): void {
    this.#stretches = [];
    this.#events = 0;
    this.#bytes = 0;
  }

  /** A page of the newest window; pages of one window follow each other. */
  append(from: Snapshot, to: Snapshot, events: readonly TellableEvent[], nowMs: number): void {
    const last = this.#stretches.at(-1);
    if (last !== undefined && (events.length === 0 || last.to.text === to.text)) {
      // Silence makes no stretch of its own.
      last.to = to;
      this.#add(last, events);
    } else {
      const stretch = { from, to, sinceMs: nowMs, events: [], bytes: 0 };
      this.#stretches.push(stretch);
      this.#add(stretch, events);
    }
    const [first] = this.#stretches;
    // What was said does not stay in memory just because nothing came after it.
    if (first !== undefined && nowMs - first.sinceMs > KEPT_MS) this.#dropFirst(to, nowMs);
    while (this.#tooMuch() && this.#stretches.length > 1) this.#dropFirst(to, nowMs);
  }

  /** What lies before everything that is here. False when it would be too much to keep. */
  prepend(from: Snapshot, events: readonly TellableEvent[], nowMs: number): boolean {
    const to = this.since;
    if (to === undefined) return false;
    const stretch = { from, to, sinceMs: nowMs, events: [], bytes: 0 };
    this.#stretches.unshift(stretch);
    this.#add(stretch, events);
    if (!this.#tooMuch()) return true;
    this.#dropFirst(to, nowMs);
    return false;
  }

  /** Whether everything after this position is here. */
  reaches({ from }: Position): boolean {
    return this.since !== undefined && covers(from, this.since);
  }

  /** In the order in which they were told. */
  *after(position: Position): Generator<TellableEvent> {
    for (const { events } of this.#stretches) {
      for (const event of events) if (!hasSeen(position, event.change)) yield event;
    }
  }

  #add(stretch: Stretch, events: readonly TellableEvent[]): void {
    const bytes = events.reduce((sum, { frame }) => sum + frame.length, 0);
    for (const event of events) stretch.events.push(event);
    stretch.bytes += bytes;
    this.#bytes += bytes;
    this.#events += events.length;
  }

  #dropFirst(newest: Snapshot, nowMs: number): void {
    const stretch = this.#stretches.shift();
    if (stretch === undefined) return;
    this.#bytes -= stretch.bytes;
    this.#events -= stretch.events.length;
    if (this.#stretches.length > 0) return;
    this.#stretches.push({ from: newest, to: newest, sinceMs: nowMs, events: [], bytes: 0 });
  }

  #tooMuch(): boolean {
    return this.#events > MOST_EVENTS || this.#bytes > MOST_BYTES;
  }
}
