import { type ChildProcess, type ChildProcessByStdio, spawn } from 'node:child_process';
import { dirname } from 'node:path';
import type { Readable, Writable } from 'node:stream';
import { watchMemory, withLimits } from './child-limits.ts';

/** No variable of the worker reaches a tool server, so its programs are found on a fixed path. */
const PATH = [
  dirname(process.execPath),
  '/usr/local/sbin',
  '/usr/local/bin',
  '/usr/sbin',
  '/usr/bin',
  '/sbin',
  '/bin',
].join(':');
const TERMINATE_AFTER_MS = 1_000;
const KILL_AFTER_MS = 2_000;

/**
 * Ends a process group when the worker is gone: its end of the pipe closes with the worker, however that
 * died. A line on the pipe means that the group has ended in order.
 */
const WATCHDOG = 'read -r line || kill -KILL "-$1" 2>/dev/null';

export interface ServerProgram {
  readonly command: string;
  readonly args: readonly string[];
  readonly env: Readonly<Record<string, string>>;
  readonly cwd?: string | undefined;
  readonly runAs?: { readonly uid: number; readonly gid: number } | undefined;
  readonly maxMemoryBytes?: number | undefined;
}

export type ServerChild = ChildProcessByStdio<Writable, Readable, Readable>;

export interface RunningServer {
  readonly child: ServerChild;
  /** False where it could read what the worker was started with. */
  readonly isShielded: boolean;
  /** Asks by closing its input, then SIGTERM, then SIGKILL, each to the whole group; resolves when it has ended. */
  stop(): Promise<void>;
}

/** Starts a tool server in a process group of its own, with a clean environment. @throws when it can't be started */
export async function startServer(program: ServerProgram): Promise<RunningServer> {
  const { command, args, isShielded } = await withLimits(program.command, program.args, {
    ownUser: program.runAs !== undefined,
  });
  const child = spawn(command, args, {
    env: { PATH, LANG: 'C.UTF-8', ...program.env },
    cwd: program.cwd,
    detached: true,
    shell: false,
    stdio: ['pipe', 'pipe', 'pipe'],
    windowsHide: true,
    ...(program.runAs === undefined ? {} : program.runAs),
  });
  await new Promise<void>((resolve, reject) => {
    child.once('spawn', resolve);
    child.once('error', reject);
  });
  child.on('error', () => undefined);
  const groupId = child.pid;
  if (groupId === undefined) throw new Error('The program has no process id');
  const watchdog = watch(groupId);
  const stopLooking =
    program.maxMemoryBytes === undefined
      ? () => undefined
      : watchMemory(groupId, program.maxMemoryBytes, () => {
          child.stderr.emit('data', 'The tool server takes more memory than it may; it is stopped.\n');
          signalGroup(groupId, 'SIGKILL');
        });
  const ended = new Promise<void>((resolve) => {
    child.once('exit', () => {
      stopLooking();
      // Whatever it started must not outlive it.
      signalGroup(groupId, 'SIGKILL');
      watchdog.stdin?.end('ended\n');
      resolve();
    });
  });
  return { child, isShielded, stop: () => stop(child, groupId, ended) };
}

function watch(groupId: number): ChildProcess {
  const watchdog = spawn('/bin/sh', ['-c', WATCHDOG, 'watchdog', String(groupId)], {
    env: { PATH },
    cwd: '/',
    detached: true,
    stdio: ['pipe', 'ignore', 'ignore'],
  });
  watchdog.on('error', () => undefined);
  watchdog.stdin?.on('error', () => undefined);
  watchdog.unref();
  return watchdog;
}

async function stop(child: ServerChild, groupId: number, ended: Promise<void>): Promise<void> {
  child.stdin.end();
  const timers = [
    setTimeout(() => signalGroup(groupId, 'SIGTERM'), TERMINATE_AFTER_MS),
    setTimeout(() => signalGroup(groupId, 'SIGKILL'), KILL_AFTER_MS),
  ];
  if (child.exitCode === null && child.signalCode === null) await ended;
  for (const timer of timers) clearTimeout(timer);
}

function signalGroup(groupId: number, signal: 'SIGTERM' | 'SIGKILL'): void {
  try {
    process.kill(-groupId, signal);
  } catch {
    // The group has ended already.
  }
}
