import type { Clock } from './clock.ts';
import { HEARTBEAT, RETRY } from './frames.ts';
import type { TellableEvent } from './history.ts';
import { Outlet } from './outlet.ts';
import { hasSeen, type Position } from './position.ts';

const HEARTBEAT_MS = 15_000;
const POSITION_MS = 60_000;
const MOST_BEHIND_BYTES = 1_024 * 1_024;
const MOST_BEHIND_MS = 10_000;

export interface ListenerRequest {
  readonly personId: string;
  readonly tokenExpiresAtMs: number;
  /** Only what concerns this interaction. */
  readonly interactionId?: string | undefined;
  readonly lastEventId?: string | undefined;
  /** Breaks the connection off, whatever still lies in its buffers. */
  readonly abort: () => void;
}

export type EndReason = 'left' | 'slow' | 'expired' | 'gone' | 'shutdown';

/** One open stream. */
export class Listener {
  readonly personId: string;
  readonly #request: ListenerRequest;
  readonly #clock: Clock;
  readonly #outlet: Outlet;
  #seen: Position | undefined;
  #reason: EndReason = 'left';
  #wroteAtMs: number;
  #placedAtMs: number;

  constructor(request: ListenerRequest, clock: Clock, left: (reason: EndReason) => void) {
    this.personId = request.personId;
    this.#request = request;
    this.#clock = clock;
    this.#wroteAtMs = clock.now();
    this.#placedAtMs = clock.now();
    this.#outlet = new Outlet(clock, () => left(this.#reason));
  }

  get stream(): ReadableStream<Uint8Array> {
    return this.#outlet.stream;
  }

  greet(ready: Buffer): void {
    this.send(RETRY);
    this.send(ready);
  }

  /** What they were told before they came back is not told again. */
  skipUpTo(position: Position): void {
    this.#seen = position;
  }

  /** False when it is not for this stream. */
  tell({ change, interactionId, frame }: TellableEvent): boolean {
    const { interactionId: only } = this.#request;
    if (only !== undefined && only !== interactionId) return false;
    if (this.#seen !== undefined && hasSeen(this.#seen, change)) return false;
    this.#placedAtMs = this.#clock.now();
    this.send(frame);
    return true;
  }

  send(bytes: Buffer): void {
    this.#outlet.send(bytes);
    this.#wroteAtMs = this.#clock.now();
    if (this.#outlet.backlogBytes > MOST_BEHIND_BYTES) this.#drop();
  }

  /** What only time brings about. @param position an event that says how far everything has been told, if known */
  sweep(position: (() => Buffer) | undefined): void {
    const nowMs = this.#clock.now();
    if (nowMs >= this.#request.tokenExpiresAtMs) {
      this.close('expired');
    } else if (this.#outlet.behindMs > MOST_BEHIND_MS) {
      this.#drop();
    } else if (position !== undefined && nowMs - this.#placedAtMs >= POSITION_MS) {
      this.#placedAtMs = nowMs;
      this.send(position());
    } else if (nowMs - this.#wroteAtMs >= HEARTBEAT_MS) {
      this.send(HEARTBEAT);
    }
  }

  close(reason: EndReason): void {
    this.#reason = reason;
    this.#outlet.close();
  }

  /** Closing would wait for the very bytes that are not taken. */
  #drop(): void {
    this.close('slow');
    this.#request.abort();
  }
}
