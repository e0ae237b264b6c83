import type { Log } from '../log.ts';

/** What a command gets from `main`; nothing in a command reaches for the process itself. */
export interface CommandDeps {
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly log: Log;
  readonly stdout: { write(text: string): unknown };
}

export function printLines(deps: Pick<CommandDeps, 'stdout'>, lines: readonly string[]): void {
  deps.stdout.write(`${lines.join('\n')}\n`);
}

/** For commander options that may be given several times. */
export function collect(value: string, previous: string[] = []): string[] {
  return [...previous, value];
}
