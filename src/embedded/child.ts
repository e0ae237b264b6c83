import { type ChildProcess, spawn } from 'node:child_process';
import { createWriteStream, type WriteStream } from 'node:fs';
import { constants } from 'node:os';
import { createInterface } from 'node:readline';
import { Readable } from 'node:stream';
import { FloorwalkerError } from '../errors.ts';

/**
 * Stands between us and every child. It starts the child, tells its pid on descriptor 4, and leaves a watcher that
 * reads descriptor 3, a pipe whose only other end is ours. The kernel closes our end however we die, SIGKILL
 * included; the watcher then stops the child, kills what is left of it, and removes the folder it was given.
 * From the moment at which we are gone, the watcher finishes its work even when the child has ended meanwhile.
 * Child and watcher are reaped by their own parent, so that nothing is left even where process 1 reaps nobody.
 */
const GUARD = `
signal=$1 tenths=$2 remove=$3
shift 3
exec 5<&0
"$@" <&5 3<&- 4>&- 5<&- &
child=$!
exec 0</dev/null 5<&- >/dev/null 2>&1
echo "$child" >&4
exec 4>&-
(
  while read -r _; do :; done <&3
  trap '' TERM
  exec 3<&-
  kill -s "$signal" "$child"
  while [ "$tenths" -gt 0 ] && kill -0 "$child"; do sleep 0.1; tenths=$((tenths - 1)); done
  kill -s KILL "$child"
  [ -z "$remove" ] || rm -rf -- "$remove"
  kill -s KILL -- -$$
) &
watcher=$!
exec 3<&-
wait "$child"
status=$?
kill -s TERM "$watcher"
wait "$watcher"
exit "$status"
`;

const TAIL_LINES = 40;

export interface ChildOptions {
  /** What a person calls it, in messages. */
  readonly name: string;
  readonly command: string;
  readonly args: readonly string[];
  readonly cwd?: string;
  readonly env: Readonly<Record<string, string | undefined>>;
  /** Written to the child's standard input, which is then closed; for secrets, which `ps` would show as arguments. */
  readonly input?: string;
  readonly runAs?: { readonly uid: number; readonly gid: number } | undefined;
  /** How it is asked to stop; default SIGTERM. */
  readonly stopSignal?: NodeJS.Signals;
  /** How long it may take to stop before its whole process group is killed; default 10 s. */
  readonly killAfterMs?: number;
  /** The same when we have died without stopping it; default 5 s, because nobody is left to wait for it. */
  readonly orphanKillAfterMs?: number;
  /** Removed when we have died without stopping it. */
  readonly removeWhenOrphaned?: string;
  /** All output is appended here. */
  readonly logFile?: string;
  readonly onLine?: (line: string) => void;
}

export interface ChildExit {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
}

/** What `sh` reports for a program that a signal ended: 128 and its number. */
function exitOf(status: number | null): ChildExit {
  if (status === null || status <= 128) return { code: status, signal: null };
  const found = Object.entries(constants.signals).find(([, number]) => number === status - 128);
  return { code: status, signal: (found?.[0] as NodeJS.Signals | undefined) ?? null };
}

function signalProcess(pid: number, signal: NodeJS.Signals): void {
  try {
    process.kill(pid, signal);
  } catch {
    // It has ended already.
  }
}

/** A process of ours: in a group of its own, so that Ctrl-C reaches us alone, and never outliving us. */
export class Child {
  readonly name: string;
  readonly #options: ChildOptions;
  readonly #tail: string[] = [];
  #guard: ChildProcess | undefined;
  #pid: number | undefined;
  #exited: Promise<ChildExit> | undefined;
  #ended = false;
  #stopping: Promise<void> | undefined;

  constructor(options: ChildOptions) {
    this.name = options.name;
    this.#options = options;
  }

  /** Of the program itself; undefined before its start. */
  get pid(): number | undefined {
    return this.#pid;
  }

  get running(): boolean {
    return this.#guard !== undefined && !this.#ended;
  }

  /** Settles when the process has ended, for whatever reason; a child that was never started has ended. */
  get exited(): Promise<ChildExit> {
    return this.#exited ?? Promise.resolve({ code: null, signal: null });
  }

  /** The last lines of its output, for an error message. */
  get tail(): string {
    return this.#tail.join('\n');
  }

  /**
   * Settles when the program has a pid. One that can't be found ends at once with status 127 and says so in its tail.
   *
   * @throws FloorwalkerError `embedded_start_failed` when no process can be made.
   */
  async start(): Promise<void> {
    if (this.#guard || this.#stopping) throw new Error(`${this.name} was already started or stopped`);
    const guard = this.#spawn();
    this.#guard = guard;
    this.#exited = new Promise((resolve) => {
      const ended = (exit: ChildExit) => {
        this.#ended = true;
        resolve(exit);
      };
      guard.once('error', () => ended({ code: null, signal: null }));
      guard.once('exit', (code) => {
        this.#killGroup();
        ended(exitOf(code));
      });
    });
    const log = this.#options.logFile ? createWriteStream(this.#options.logFile, { flags: 'a' }) : undefined;
    this.#read(guard.stdout, log);
    this.#read(guard.stderr, log);
    guard.once('close', () => log?.end());
    guard.stdio[3]?.on('error', () => {});
    guard.stdin?.on('error', () => {});
    guard.stdin?.end(this.#options.input);
    this.#pid = await this.#readPid(guard);
  }

  /** Asks it to stop, and kills it when that takes too long; whatever it started goes with it. Safe twice, before start and after its end. */
  stop(): Promise<void> {
    this.#stopping ??= this.#stop();
    return this.#stopping;
  }

  async #stop(): Promise<void> {
    if (!this.running || this.#pid === undefined) return;
    const pid = this.#pid;
    // Not the whole group yet: the guard reaps it, so that it is really gone when we say so.
    const timer = setTimeout(() => signalProcess(pid, 'SIGKILL'), this.#options.killAfterMs ?? 10_000);
    signalProcess(pid, this.#stopSignal);
    await this.#exited;
    clearTimeout(timer);
  }

  get #stopSignal(): NodeJS.Signals {
    return this.#options.stopSignal ?? 'SIGTERM';
  }

  #spawn(): ChildProcess {
    const { command, args, cwd, env, runAs, input } = this.#options;
    const orphanTenths = Math.ceil((this.#options.orphanKillAfterMs ?? 5_000) / 100);
    const guard = [this.#stopSignal.slice(3), String(orphanTenths), this.#options.removeWhenOrphaned ?? ''];
    return spawn('/bin/sh', ['-c', GUARD, 'sh', ...guard, command, ...args], {
      cwd,
      env,
      detached: true,
      stdio: [input === undefined ? 'ignore' : 'pipe', 'pipe', 'pipe', 'pipe', 'pipe'],
      ...(runAs ? { uid: runAs.uid, gid: runAs.gid } : {}),
    });
  }

  async #readPid(guard: ChildProcess): Promise<number> {
    const pipe = guard.stdio[4];
    if (!(pipe instanceof Readable)) throw new Error('the pipe for the pid is missing');
    try {
      let text = '';
      for await (const chunk of pipe) text += String(chunk);
      if (Number(text) > 0) return Number(text);
      throw new Error('no process was started');
    } catch (cause) {
      const reason = cause instanceof Error ? cause.message : String(cause);
      throw new FloorwalkerError('embedded_start_failed', `${this.name} can't be run: ${reason}`, { cause });
    }
  }

  #killGroup(): void {
    if (this.#guard?.pid !== undefined) signalProcess(-this.#guard.pid, 'SIGKILL');
  }

  #read(stream: Readable | null, log: WriteStream | undefined): void {
    if (!stream) return;
    createInterface({ input: stream }).on('line', (line) => {
      this.#tail.push(line);
      if (this.#tail.length > TAIL_LINES) this.#tail.shift();
      log?.write(`${line}\n`);
      this.#options.onLine?.(line);
    });
  }
}
