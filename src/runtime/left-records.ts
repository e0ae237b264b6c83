import type { Log } from '../log.ts';
import { type Clock, within } from '../session/clock.ts';
import type { Outbox } from '../session/outbox.ts';
import type { SpoolFolder } from './spool-folder.ts';

export interface LeftRecordsDeps {
  /** Undefined where nothing can be kept on disk. */
  readonly folder: SpoolFolder | undefined;
  readonly outbox: Outbox;
  readonly clock: Clock;
  readonly log: Log;
}

const LOOK_MS = 5_000;
/** How long a worker that starts waits with its first job for what others have left; the database may still be away. */
const FIRST_LOOK_MS = 5_000;
/** How long a worker that stops tries to store what its processes have left. */
const LAST_LOOK_MS = 10_000;

/** Stores in time what dead processes and dead workers have left on this disk, and says there that this one lives. */
export class LeftRecords {
  readonly #deps: LeftRecordsDeps;
  #cancel: (() => void) | undefined;
  #looking: Promise<void> | undefined;
  #stopped = true;

  constructor(deps: LeftRecordsDeps) {
    this.#deps = deps;
  }

  /** Resolves when what was left before is stored, so that whoever carries those conversations on finds it; or soon. */
  async start(): Promise<void> {
    if (!this.#stopped) return;
    this.#stopped = false;
    await within(this.#deps.clock, FIRST_LOOK_MS, this.#look());
    this.#schedule();
  }

  /** What processes of this worker have left. Resolves when it is stored, or refused for good. */
  async recoverDead(): Promise<void> {
    const { folder, outbox, log } = this.#deps;
    await folder
      ?.recoverDead(outbox)
      .catch((err: unknown) => log.warn({ err }, 'records of dead processes were left behind'));
  }

  /** Leaves what can't be stored by now to the next worker. Safe before start and when repeated. */
  async stop(): Promise<void> {
    const { folder, outbox, clock } = this.#deps;
    this.#stopped = true;
    this.#cancel?.();
    await within(clock, LAST_LOOK_MS, this.recoverDead());
    const closed = folder?.close();
    outbox.close();
    await closed;
  }

  #schedule(): void {
    if (this.#stopped) return;
    this.#cancel = this.#deps.clock.after(LOOK_MS, () => {
      this.#schedule();
      void this.#look();
    });
  }

  /** One at a time; it may have to wait for the database. */
  #look(): Promise<void> {
    const { folder, outbox, log } = this.#deps;
    if (!folder) return Promise.resolve();
    void folder
      .beat()
      .catch((err: unknown) => log.warn({ err }, 'the folder for what waits for the database is gone'));
    this.#looking ??= Promise.all([this.recoverDead(), folder.recoverLeft(outbox)])
      .then(() => {})
      .catch((err: unknown) => log.warn({ err }, 'records of dead workers were left behind'))
      .finally(() => {
        this.#looking = undefined;
      });
    return this.#looking;
  }
}
