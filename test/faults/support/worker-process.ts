import { type ChildProcess, spawn } from 'node:child_process';
import { readdir, readFile } from 'node:fs/promises';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { freeTcpPort } from '../../../src/embedded/ports.ts';
import { systemClock, within } from '../../../src/session/clock.ts';

const ROOT = fileURLToPath(new URL('../../..', import.meta.url));

interface LogLine {
  readonly pid?: number;
  readonly interaction?: string;
  readonly generation?: number;
  readonly msg?: string;
  readonly [field: string]: unknown;
}

/** A worker of its own process tree, any part of which can be killed, stopped and woken. */
export class WorkerProcess {
  readonly lines: LogLine[] = [];
  readonly #child: ChildProcess;
  readonly #waiting = new Set<() => void>();
  /** With its status, or the signal that ended it. */
  readonly exited: Promise<number | string>;
  /** Every process that was ever seen below it: none of them may outlive a test. */
  readonly #descendants = new Set<number>();

  private constructor(child: ChildProcess, port: number) {
    this.port = port;
    this.#child = child;
    this.exited = new Promise((resolve) =>
      child.once('exit', (code, signal) => resolve(code ?? signal ?? 'unknown')),
    );
    for (const stream of [child.stdout, child.stderr]) {
      if (stream) createInterface({ input: stream }).on('line', (line) => this.#read(line));
    }
  }

  /** Resolves when it is registered with LiveKit. */
  static async start(env: Readonly<Record<string, string>>): Promise<WorkerProcess> {
    const worker = await WorkerProcess.begin(env);
    await worker.line(({ msg }) => msg === 'worker is registered with LiveKit', 60_000);
    return worker;
  }

  /** Resolves when there is a process, whatever it does. */
  static async begin(env: Readonly<Record<string, string>>): Promise<WorkerProcess> {
    const port = await freeTcpPort();
    const child = spawn(process.execPath, ['src/main.ts', 'worker'], {
      cwd: ROOT,
      env: { ...env, WORKER_PORT: String(port), PATH: process.env.PATH },
      stdio: ['ignore', 'pipe', 'pipe'],
      detached: true,
    });
    return new WorkerProcess(child, port);
  }

  /** Where it tells how it is. */
  readonly port: number;

  get pid(): number {
    return this.#child.pid ?? 0;
  }

  get alive(): boolean {
    return this.#child.exitCode === null && this.#child.signalCode === null;
  }

  /** Resolves with the first line that fits, already written or still to come. */
  line(fits: (line: LogLine) => boolean, deadlineMs = 30_000): Promise<LogLine> {
    return new Promise((resolve, reject) => {
      const timer = setTimeout(() => {
        this.#waiting.delete(check);
        const tail = this.lines.slice(-15).map((line) => JSON.stringify(line));
        reject(new Error(`no such log line within ${deadlineMs} ms:\n${tail.join('\n')}`));
      }, deadlineMs);
      const check = (): void => {
        const found = this.lines.find(fits);
        if (!found) return;
        clearTimeout(timer);
        this.#waiting.delete(check);
        resolve(found);
      };
      this.#waiting.add(check);
      check();
    });
  }

  /** The process that carries the interaction, or undefined when it is not here. */
  jobOf(interactionId: string): number | undefined {
    const line = this.lines.findLast(
      ({ interaction, msg, pid }) =>
        interaction === interactionId && msg === 'session began' && pid !== this.pid,
    );
    return line?.pid;
  }

  /** The worker alone: its job processes become orphans. */
  async killWorker(): Promise<void> {
    await this.#look();
    this.signal(this.pid, 'SIGKILL');
    await this.exited;
  }

  /** The worker and everything it has started, at once, as when its machine is gone. */
  async killAll(): Promise<void> {
    await this.#look();
    for (const pid of [this.pid, ...this.#descendants]) this.signal(pid, 'SIGKILL');
    await this.exited;
  }

  /** Everything of it stands still. */
  async stopAll(): Promise<void> {
    await this.#look();
    for (const pid of [this.pid, ...this.#descendants]) this.signal(pid, 'SIGSTOP');
  }

  wakeAll(): void {
    for (const pid of [this.pid, ...this.#descendants]) this.signal(pid, 'SIGCONT');
  }

  /**
   * Asks it to drain and waits until it has.
   *
   * @returns its status
   * @throws Error with what is left of it and its last lines, when it does not end
   */
  async drain(deadlineMs = 100_000): Promise<number | string> {
    await this.#look();
    this.signal(this.pid, 'SIGTERM');
    return await this.ended(deadlineMs);
  }

  /** As `drain`, for one that was told already. */
  async ended(deadlineMs: number): Promise<number | string> {
    const status = await within(systemClock, deadlineMs, this.exited);
    if (status !== undefined) return status;
    await this.#look();
    const left = await Promise.all([this.pid, ...this.#descendants].map(describe));
    const tail = this.lines.slice(-40).map((line) => JSON.stringify(line).slice(0, 400));
    throw new Error(
      `worker ${this.pid} did not end within ${deadlineMs} ms.\n${[...left.filter(Boolean), ...tail].join('\n')}`,
    );
  }

  /** Of everything that it has started by now. */
  async children(): Promise<number[]> {
    await this.#look();
    return [...this.#descendants];
  }

  signal(pid: number, signal: NodeJS.Signals): void {
    try {
      process.kill(pid, signal);
    } catch {
      // It has ended already.
    }
  }

  async #look(): Promise<void> {
    for (const pid of await descendants(this.pid)) this.#descendants.add(pid);
  }

  #read(text: string): void {
    if (!text.startsWith('{')) return;
    try {
      this.lines.push(JSON.parse(text) as LogLine);
    } catch {
      return;
    }
    for (const check of [...this.#waiting]) check();
  }
}

/** What runs there, and whether it runs, sleeps, is stopped or is dead; nothing when it is gone. */
async function describe(pid: number): Promise<string> {
  const stat = await readFile(`/proc/${pid}/stat`, 'utf8').catch(() => '');
  const command = await readFile(`/proc/${pid}/cmdline`, 'utf8').catch(() => '');
  return stat && `${pid} ${stat.slice(stat.lastIndexOf(')') + 2)[0]} ${command.replaceAll('\0', ' ')}`;
}

async function descendants(root: number): Promise<number[]> {
  const parents = new Map<number, number>();
  for (const name of await readdir('/proc')) {
    if (!/^\d+$/.test(name)) continue;
    const stat = await readFile(`/proc/${name}/stat`, 'utf8').catch(() => '');
    // The name of the program, in parentheses, may hold anything.
    const parent = Number(stat.slice(stat.lastIndexOf(')') + 2).split(' ')[1]);
    if (parent > 0) parents.set(Number(name), parent);
  }
  const found: number[] = [];
  const visit = (pid: number): void => {
    for (const [child, parent] of parents) {
      if (parent !== pid) continue;
      found.push(child);
      visit(child);
    }
  };
  visit(root);
  return found;
}
