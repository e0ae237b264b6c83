import { fileURLToPath } from 'node:url';
import { Child, type ChildExit } from './child.ts';
import { untilReady } from './ready.ts';

export interface NodeChild {
  readonly pid: number;
  readonly exited: Promise<ChildExit>;
  stop(): Promise<void>;
}

export interface NodeChildOptions {
  readonly name: string;
  readonly script: URL;
  readonly args?: readonly string[];
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly cwd?: string;
  readonly input?: string;
  readonly logFile: string;
  readonly killAfterMs?: number;
  /** Settles when it serves; asked with the lines it writes. */
  readonly ready: (lines: LineWatch, child: Child) => Promise<unknown>;
  readonly readyWithinMs?: number;
}

/** Waits for a line of a child's output. */
export class LineWatch {
  readonly #waiting: { pattern: RegExp; resolve: (line: string) => void }[] = [];

  push(line: string): void {
    for (const { pattern, resolve } of this.#waiting) if (pattern.test(line)) resolve(line);
  }

  line(pattern: RegExp): Promise<string> {
    return new Promise((resolve) => this.#waiting.push({ pattern, resolve }));
  }
}

/**
 * Runs a script of ours with this very Node until it is ready.
 *
 * @throws FloorwalkerError `embedded_start_failed` with its last lines
 */
export async function startNodeChild(options: NodeChildOptions): Promise<NodeChild> {
  const lines = new LineWatch();
  const child = new Child({
    name: options.name,
    command: process.execPath,
    args: ['--disable-warning=ExperimentalWarning', fileURLToPath(options.script), ...(options.args ?? [])],
    env: options.env,
    logFile: options.logFile,
    onLine: (line) => lines.push(line),
    ...(options.cwd === undefined ? {} : { cwd: options.cwd }),
    ...(options.input === undefined ? {} : { input: options.input }),
    ...(options.killAfterMs === undefined ? {} : { killAfterMs: options.killAfterMs }),
  });
  // Watched before the start, so that no line is missed.
  const ready = options.ready(lines, child);
  await child.start();
  await untilReady(child, ready, options.readyWithinMs ?? 60_000);
  return { pid: child.pid ?? 0, exited: child.exited, stop: () => child.stop() };
}
