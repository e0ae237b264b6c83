import { spawn } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';

/**
 * `npm run soak -- --minutes N --seed S`: conversations under random deaths of what carries them, and an auditor who
 * compares what customers sent and saw, what tools did and what the database says.
 */
const ROOT = fileURLToPath(new URL('..', import.meta.url));
const USAGE = `npm run soak -- [--minutes N] [--seed S] [--customers N] [--workers N]

  --minutes N    how long new conversations begin (5)
  --seed S       the same choices again: who says what, what dies when (random, and printed)
  --customers N  conversations at once (6)
  --workers N    workers (2)
`;

function count(name: string, text: string, most: number): number {
  const value = Number(text);
  if (value > 0 && value <= most) return value;
  throw new Error(`--${name} is "${text}" and not a number up to ${most}.`);
}

try {
  const { values } = parseArgs({
    options: {
      minutes: { type: 'string', default: '5' },
      seed: { type: 'string', default: String(Math.floor(Math.random() * 1_000_000)) },
      customers: { type: 'string', default: '6' },
      workers: { type: 'string', default: '2' },
      help: { type: 'boolean', short: 'h', default: false },
    },
  });
  if (values.help) process.stdout.write(USAGE);
  else {
    const plan = {
      minutes: count('minutes', values.minutes, 10_000),
      seed: count('seed', values.seed, 2 ** 31),
      customers: count('customers', values.customers, 200),
      workers: count('workers', values.workers, 20),
    };
    const args = ['node_modules/vitest/vitest.mjs', 'run', '--config', 'test/faults/soak.config.ts'];
    const child = spawn(process.execPath, args, {
      cwd: ROOT,
      stdio: 'inherit',
      env: { ...process.env, SOAK: JSON.stringify(plan) },
    });
    child.on('exit', (code) => {
      process.exitCode = code ?? 1;
    });
  }
} catch (error) {
  process.stderr.write(`${error instanceof Error ? error.message : String(error)}\n${USAGE}`);
  process.exitCode = 2;
}
