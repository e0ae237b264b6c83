import { mkdir, rm, writeFile } from 'node:fs/promises';
import { dirname, join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { Measurements } from './measurements.ts';
import { type BenchOptions, type PartName, readOptions, USAGE } from './options.ts';
import { measureChat } from './parts/chat.ts';
import { measureMemory } from './parts/memory.ts';
import { measurePermission } from './parts/permission.ts';
import { measureStart } from './parts/start.ts';
import { measureVoice } from './parts/voice.ts';
import { asJson, describeMachine, load, table } from './report.ts';
import { passedSettings, Stack } from './stack.ts';

type Measure = (stack: Stack, options: BenchOptions, results: Measurements) => Promise<void>;
const MEASURES: Record<PartName, Measure> = {
  start: measureStart,
  memory: measureMemory,
  chat: measureChat,
  permission: measurePermission,
  voice: measureVoice,
};
const RESULTS = fileURLToPath(new URL('results/', import.meta.url));

function say(line: string): void {
  process.stderr.write(`${line}\n`);
}

/** @returns whether everything could be measured. */
async function bench(options: BenchOptions): Promise<boolean> {
  const startedAt = new Date();
  const stamp = startedAt.toISOString().replaceAll(/[:.]/g, '-');
  const logs = join(RESULTS, `${stamp}-logs`);
  await mkdir(logs, { recursive: true });
  const machine = await describeMachine();
  const loadBefore = load();
  say(`${machine.cores} cores, load ${loadBefore.join(' ')}; starting`);

  const undo: (() => Promise<void>)[] = [];
  const results = new Measurements(say);
  let stack: Stack | undefined;
  const clear = async (): Promise<void> => {
    await stack?.stop();
    for (let step = undo.pop(); step; step = undo.pop()) await step().catch(() => {});
  };
  const breakOff = (): void => {
    say('broken off; cleaning up');
    void clear()
      .then(() => rm(logs, { recursive: true, force: true }))
      .finally(() => process.exit(130));
  };
  process.once('SIGINT', breakOff).once('SIGTERM', breakOff);
  try {
    stack = await Stack.start((name) => join(logs, `${name}.log`), undo);
    const running = stack;
    await running.rest();
    for (const part of options.parts) {
      await results.attempt(part, () => MEASURES[part](running, options, results));
    }
  } finally {
    await clear();
  }

  const restless = stack.restless;
  const loadAfter = load();
  const file = options.json ? resolve(options.json) : join(RESULTS, `${stamp}.json`);
  const run = { startedAt, ...machine, loadBefore, loadAfter, settings: passedSettings(), restless, options };
  await mkdir(dirname(file), { recursive: true });
  await writeFile(file, asJson(results, run));
  const about = `${machine.commit}, Node ${machine.node}, ${machine.cores} × ${machine.processor}`;
  process.stdout.write(`\n${table(results)}\n\n${about}\n`);
  process.stdout.write(
    `load (1, 5, 15 min) before: ${loadBefore.join(' ')}, after: ${loadAfter.join(' ')}\n`,
  );
  if (loadBefore[0] !== undefined && loadBefore[0] > machine.cores / 2) {
    process.stdout.write('The machine was busy with something else when this began: do not compare these.\n');
  }
  if (restless > 0) {
    process.stdout.write(
      `The worker did not come to rest before ${restless} measurements; those ran beside other work.\n`,
    );
  }
  process.stdout.write(`${file}\n`);
  if (results.failures.length === 0) await rm(logs, { recursive: true, force: true });
  else process.stdout.write(`logs: ${logs}\n`);
  return results.failures.length === 0;
}

try {
  const options = readOptions(process.argv.slice(2));
  if (options === 'help') process.stdout.write(USAGE);
  else process.exitCode = (await bench(options)) ? 0 : 1;
} catch (error) {
  say(error instanceof Error ? error.message : String(error));
  process.exitCode = 2;
}
// LiveKit's client keeps threads that would keep this process.
process.exit();
