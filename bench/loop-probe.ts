import { appendFileSync } from 'node:fs';
import { join } from 'node:path';
import { monitorEventLoopDelay } from 'node:perf_hooks';
import { isMainThread } from 'node:worker_threads';

/**
 * Loaded into processes that are measured, by `--import` with the folder in its address: tells once a second how late
 * the event loop came to its timers.
 */
const RESOLUTION_MS = 10;
const EVERY_MS = 1_000;

const folder = new URL(import.meta.url).searchParams.get('folder');
if (isMainThread && folder !== null) {
  const delays = monitorEventLoopDelay({ resolution: RESOLUTION_MS });
  const late = (nanoseconds: number): number => Math.max(0, nanoseconds / 1e6 - RESOLUTION_MS);
  delays.enable();
  setInterval(() => {
    const told = { at: Date.now(), p99: late(delays.percentile(99)), worst: late(delays.max) };
    delays.reset();
    appendFileSync(join(folder, String(process.pid)), `${JSON.stringify(told)}\n`);
  }, EVERY_MS).unref();
}
