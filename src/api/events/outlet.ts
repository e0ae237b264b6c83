import type { Clock } from './clock.ts';

interface Waiting {
  readonly bytes: Buffer;
  readonly sinceMs: number;
}

/** Enough to fill a socket's buffer in one go, little enough not to count as sent what still lies with us. */
const LARGEST_WRITE_BYTES = 64 * 1_024;

/**
 * What one listener still has to be sent. The socket takes it as fast as the listener reads; what it has not taken
 * lies here, where its size and age can be seen.
 */
export class Outlet {
  readonly stream: ReadableStream<Uint8Array>;
  readonly #clock: Clock;
  readonly #gone: () => void;
  #controller: ReadableStreamDefaultController<Uint8Array> | undefined;
  #waiting: Waiting[] = [];
  #bytes = 0;
  #wanted = false;
  #ended = false;

  /** @param gone the listener has left, or was closed; called once */
  constructor(clock: Clock, gone: () => void) {
    this.#clock = clock;
    this.#gone = gone;
    this.stream = new ReadableStream<Uint8Array>(
      {
        start: (controller) => {
          this.#controller = controller;
        },
        pull: () => {
          this.#wanted = true;
          this.#flush();
        },
        cancel: () => this.#end(),
      },
      // Nothing is taken ahead of need, or it would be out of sight.
      { highWaterMark: 0 },
    );
  }

  get backlogBytes(): number {
    return this.#bytes;
  }

  /** How long the oldest of what was not sent has been waiting. */
  get behindMs(): number {
    const oldest = this.#waiting[0];
    return oldest === undefined ? 0 : this.#clock.now() - oldest.sinceMs;
  }

  send(bytes: Buffer): void {
    if (this.#ended) return;
    this.#waiting.push({ bytes, sinceMs: this.#clock.now() });
    this.#bytes += bytes.length;
    this.#flush();
  }

  /** Ends the stream in good order. What was not sent is not sent any more: it is told after a return. */
  close(): void {
    if (this.#ended) return;
    this.#controller?.close();
    this.#end();
  }

  #flush(): void {
    if (!this.#wanted || this.#waiting.length === 0) return;
    let size = 0;
    let count = 0;
    for (const { bytes } of this.#waiting) {
      if (count > 0 && size + bytes.length > LARGEST_WRITE_BYTES) break;
      size += bytes.length;
      count += 1;
    }
    const taken = this.#waiting.slice(0, count);
    this.#waiting = this.#waiting.slice(count);
    this.#bytes -= size;
    this.#wanted = false;
    // A copy: the same frame goes to every listener, and a stream may hand its bytes' memory on.
    this.#controller?.enqueue(new Uint8Array(Buffer.concat(taken.map(({ bytes }) => bytes))));
  }

  #end(): void {
    if (this.#ended) return;
    this.#ended = true;
    this.#waiting = [];
    this.#bytes = 0;
    this.#gone();
  }
}
