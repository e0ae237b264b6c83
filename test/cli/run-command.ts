import { Command } from 'commander';
import type { CommandDeps } from '../../src/cli/command-deps.ts';
import { createLog } from '../../src/log.ts';
import type { TestDatabase } from '../support/database.ts';

export interface CommandRun {
  readonly output: string;
  readonly error: unknown;
}

/** Runs one command as `main` would, with what it printed and what it threw. */
export async function runCommand(
  register: (program: Command, deps: CommandDeps) => void,
  env: CommandDeps['env'],
  args: readonly string[],
  /** Is told all that was printed so far, whenever there is more. */
  onOutput: (output: string) => void = () => undefined,
): Promise<CommandRun> {
  let output = '';
  const program = new Command().exitOverride();
  const stdout = {
    write(text: string) {
      output += text;
      onOutput(output);
    },
  };
  register(program, { env, stdout, log: createLog({ level: 'silent' }) });
  try {
    await program.parseAsync(args, { from: 'user' });
    return { output, error: undefined };
  } catch (error) {
    return { output, error };
  }
}

export function databaseEnv(db: TestDatabase): CommandDeps['env'] {
  return { SUPABASE_URL: db.supabaseUrl, SUPABASE_SECRET_KEY: db.secretKey };
}
