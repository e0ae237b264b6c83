/** A tool's own time, which stands still while its server waits for a person's answer. */
export class CallTimer {
  readonly #stopped = new AbortController();
  #leftMs: number;
  #startedMs = 0;
  #timer: NodeJS.Timeout | undefined;
  #pauses = 0;

  constructor(timeoutMs: number) {
    this.#leftMs = timeoutMs;
    this.#run();
  }

  /** Aborted with a TimeoutError when the time is over. */
  get signal(): AbortSignal {
    return this.#stopped.signal;
  }

  async paused<T>(work: () => Promise<T>): Promise<T> {
    this.#pauses += 1;
    if (this.#pauses === 1) {
      clearTimeout(this.#timer);
      this.#leftMs -= performance.now() - this.#startedMs;
    }
    try {
      return await work();
    } finally {
      this.#pauses -= 1;
      if (this.#pauses === 0) this.#run();
    }
  }

  stop(): void {
    clearTimeout(this.#timer);
    this.#pauses = Number.POSITIVE_INFINITY;
  }

  #run(): void {
    this.#startedMs = performance.now();
    this.#timer = setTimeout(
      () => this.#stopped.abort(new DOMException('The tool took too long', 'TimeoutError')),
      Math.max(0, this.#leftMs),
    ).unref();
  }
}
