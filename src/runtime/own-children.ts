import { ChildProcess } from 'node:child_process';
import { subscribe, unsubscribe } from 'node:diagnostics_channel';
import { basename } from 'node:path';

/** Node.js tells there of each process that is about to be started. */
const CHANNEL = 'child_process';

/** How the framework's processes of jobs and of models are called. */
export const JOB_PROCESSES = /proc_lazy_main/;

/**
 * The processes that this one has started, by whatever library: the framework does not show its own, and one that does
 * not end keeps this process as well. Only those that were started since this was made are known.
 */
export class OwnChildren {
  readonly #children = new Set<ChildProcess>();
  readonly #note = (message: unknown): void => {
    if (!(message instanceof Object) || !('process' in message)) return;
    const child = message.process;
    if (!(child instanceof ChildProcess)) return;
    this.#children.add(child);
    child.once('exit', () => this.#children.delete(child));
  };

  constructor() {
    subscribe(CHANNEL, this.#note);
  }

  /** Those that have not ended, with the program that each of them runs. */
  alive(programs = /./): { child: number; program: string }[] {
    return this.#of(programs).map((one) => ({ child: one.pid ?? 0, program: programOf(one) }));
  }

  kill(programs = /./): void {
    for (const child of this.#of(programs)) child.kill('SIGKILL');
  }

  close(): void {
    unsubscribe(CHANNEL, this.#note);
  }

  #of(programs: RegExp): ChildProcess[] {
    return [...this.#children].filter(
      (one) =>
        one.pid !== undefined &&
        one.exitCode === null &&
        one.signalCode === null &&
        programs.test(programOf(one)),
    );
  }
}

/** What the interpreter was given to run, or the program itself. */
function programOf({ spawnfile, spawnargs = [] }: ChildProcess): string {
  const script = spawnargs.slice(1).find((argument) => /\.[cm]?[jt]s$/.test(argument));
  return basename(script ?? spawnfile ?? '');
}
