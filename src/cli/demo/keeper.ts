import type { ChildExit } from '../../embedded/child.ts';

export interface Running {
  readonly pid: number;
  readonly exited: Promise<ChildExit>;
  stop(): Promise<void>;
}

export interface KeeperOptions {
  readonly name: string;
  readonly start: () => Promise<Running>;
  /** A line for the person at the terminal. */
  readonly say: (line: string) => void;
  /** It has another pid now, or none. */
  readonly onChange: () => void;
}

const FIRST_WAIT_MS = 250;
const LONGEST_WAIT_MS = 10_000;
/** A process that lived this long is well again: the next death starts with the shortest wait. */
const WELL_AFTER_MS = 30_000;

/** Keeps one process running: starts it again when it dies, later and later when it keeps dying. */
export class Keeper {
  readonly name: string;
  readonly #options: KeeperOptions;
  #running: Running | undefined;
  #starting: Promise<unknown> | undefined;
  #stopping: Promise<void> | undefined;
  #wake: () => void = () => {};
  #waitMs = FIRST_WAIT_MS;

  constructor(options: KeeperOptions) {
    this.name = options.name;
    this.#options = options;
  }

  get pid(): number | undefined {
    return this.#running?.pid;
  }

  /** The first start: its failure is the caller's. */
  async start(): Promise<void> {
    if (this.#stopping) return;
    await this.#startOnce();
  }

  /** Safe twice, before the start and during it. */
  stop(): Promise<void> {
    this.#stopping ??= this.#stop();
    return this.#stopping;
  }

  async #stop(): Promise<void> {
    this.#wake();
    await this.#starting?.catch(() => {});
    await this.#running?.stop();
  }

  #watch(running: Running): void {
    this.#running = running;
    const since = Date.now();
    void running.exited.then(async (exit) => {
      this.#running = undefined;
      if (this.#stopping) return;
      if (Date.now() - since > WELL_AFTER_MS) this.#waitMs = FIRST_WAIT_MS;
      const how = exit.signal ?? `status ${exit.code}`;
      this.#options.say(`${this.name} (process ${running.pid}) died (${how}); starting it again`);
      this.#options.onChange();
      await this.#again();
    });
  }

  /** A stop that comes meanwhile waits for it, and finds what it has to stop. */
  #startOnce(): Promise<Running> {
    const starting = this.#options.start().then((running) => {
      this.#watch(running);
      return running;
    });
    this.#starting = starting;
    return starting;
  }

  async #again(): Promise<void> {
    while (!this.#stopping) {
      await this.#pause();
      if (this.#stopping) return;
      try {
        const running = await this.#startOnce();
        if (this.#stopping) return;
        this.#options.say(`${this.name} runs again (process ${running.pid})`);
        this.#options.onChange();
        return;
      } catch (error) {
        const reason = error instanceof Error ? error.message.split('\n')[0] : String(error);
        this.#options.say(`${this.name} could not be started: ${reason}`);
      }
    }
  }

  async #pause(): Promise<void> {
    const { promise, resolve } = Promise.withResolvers<void>();
    const timer = setTimeout(resolve, this.#waitMs);
    this.#waitMs = Math.min(this.#waitMs * 2, LONGEST_WAIT_MS);
    this.#wake = resolve;
    await promise;
    clearTimeout(timer);
  }
}
