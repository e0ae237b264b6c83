import { AsyncLocalStorage } from 'node:async_hooks';
import { Worker } from 'node:worker_threads';
import { RUNNING_SESSION } from './host-messages.ts';

const THREAD = new URL('./stall-thread.ts', import.meta.url);
/** How often the event loop says that it turns. */
const BEAT_MS = 100;

export interface StallWatchOptions {
  /** For so long the event loop may stand still. */
  readonly limitMs: number;
}

/**
 * Knows whose work holds up the event loop of a process that many sessions share. Work that is begun with `run`
 * belongs to its session, with everything that follows from it. A thread watches the loop turn; when it does not,
 * it halts the running code, asks it whose it is and where, and tells the worker, which ends the process.
 *
 * Nothing is written down while all is well: the session is part of the asynchronous context that the runtime keeps
 * anyway.
 */
export class StallWatch {
  readonly #running = new AsyncLocalStorage<string>();
  readonly #thread: Worker;
  readonly #beat: NodeJS.Timeout;

  constructor({ limitMs }: StallWatchOptions) {
    Object.defineProperty(globalThis, RUNNING_SESSION, {
      value: () => this.#running.getStore(),
      configurable: true,
    });
    const beats = new Int32Array(new SharedArrayBuffer(Int32Array.BYTES_PER_ELEMENT));
    this.#beat = setInterval(() => Atomics.add(beats, 0, 1), BEAT_MS);
    this.#thread = new Worker(THREAD, {
      workerData: { beats, limitMs },
      // It only counts; a heap of the usual size would be wasted on it.
      resourceLimits: { maxOldGenerationSizeMb: 32, maxYoungGenerationSizeMb: 1 },
    });
    this.#thread.unref();
  }

  /** Begins work of a session, named by its identity in the room. */
  run<Result>(identity: string, work: () => Result): Result {
    return this.#running.run(identity, work);
  }

  /** Whose work is running now, by its identity in the room; undefined when it is nobody's. */
  get running(): string | undefined {
    return this.#running.getStore();
  }

  async close(): Promise<void> {
    clearInterval(this.#beat);
    Reflect.deleteProperty(globalThis, RUNNING_SESSION);
    await this.#thread.terminate();
  }
}
