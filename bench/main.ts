import { mkdir, rm, writeFile } from 'node:fs/promises';
import { dirname, join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { dropNativeLogs } from '../src/runtime/native-logs.ts';
import { COUGH } from '../test/support/cough.ts';
import { Measurements } from './measurements.ts';
import { type BenchOptions, type PartName, readOptions, USAGE } from './options.ts';
import { measureChat } from './parts/chat.ts';
import { measureConsole } from './parts/console.ts';
import { measureDensity } from './parts/density.ts';
import { measureEvents } from './parts/events.ts';
import { measureHandover } from './parts/handover.ts';
import { measureMcp } from './parts/mcp.ts';
import { measureMemory } from './parts/memory.ts';
import { measurePauses, recordingsFor } from './parts/pauses.ts';
import { measurePermission } from './parts/permission.ts';
import { measureQueries } from './parts/queries.ts';
import { measureRecovery } from './parts/recovery.ts';
import { measureScale } from './parts/scale.ts';
import { measureSizes } from './parts/sizes.ts';
import { measureStart } from './parts/start.ts';
import { measureTakeover } from './parts/takeover.ts';
import { measureVoice } from './parts/voice.ts';
import { asJson, describeMachine, footnotes, load, table } from './report.ts';
import { passedSettings, Stack } from './stack.ts';

type Measure = (stack: Stack, options: BenchOptions, results: Measurements) => Promise<void>;
/** `mcp` needs no database, media or model: it is measured by itself. */
const MEASURES: Record<Exclude<PartName, 'mcp'>, Measure> = {
  start: measureStart,
  memory: measureMemory,
  chat: measureChat,
  permission: measurePermission,
  voice: measureVoice,
  pauses: measurePauses,
  events: measureEvents,
  console: measureConsole,
  takeover: measureTakeover,
  recovery: measureRecovery,
  handover: measureHandover,
  density: measureDensity,
  scale: measureScale,
  sizes: measureSizes,
  queries: measureQueries,
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
  // The customers' part of the work, on the same processors, is nobody's that is measured here.
  dropNativeLogs('off');
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
  const report = async (complete: boolean): Promise<void> => {
    const restless = stack?.restless ?? 0;
    const loadAfter = load();
    const settings = passedSettings();
    const run = { startedAt, complete, ...machine, loadBefore, loadAfter, settings, restless, options };
    const file = options.json ? resolve(options.json) : join(RESULTS, `${stamp}.json`);
    await mkdir(dirname(file), { recursive: true });
    await writeFile(file, asJson(results, run));
    process.stdout.write(`\n${table(results)}\n\n${footnotes(run)}\n${file}\n`);
    if (results.failures.length === 0) await rm(logs, { recursive: true, force: true });
    else process.stdout.write(`logs: ${logs}\n`);
  };
  let broken = false;
  const breakOff = (): void => {
    broken = true;
    say('broken off; cleaning up');
    const failed = results.failures.length;
    void clear()
      // What fails because its servers go away has not failed.
      .then(() => results.failures.splice(failed))
      .then(() => report(false))
      .finally(() => process.exit(130));
  };
  process.once('SIGINT', breakOff).once('SIGTERM', breakOff);
  try {
    const parts = options.parts.filter((part) => part !== 'mcp');
    if (options.parts.includes('mcp')) await measureMcp(results);
    if (parts.length > 0) {
      const recordings = [COUGH, ...(parts.includes('pauses') ? await recordingsFor(options, results) : [])];
      stack = await Stack.start((name) => join(logs, `${name}.log`), undo, {
        recordings,
        modelMs: options.modelMs,
        speechMs: options.speechMs,
        dataDir: options.data === undefined ? undefined : resolve(options.data),
      });
      const running = stack;
      await running.rest();
      for (const part of parts) {
        await results.attempt(part, () => MEASURES[part](running, options, results));
      }
    }
  } finally {
    await clear();
  }
  // Whoever broke it off reports, and ends this process.
  if (broken) await new Promise(() => {});
  await report(true);
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
