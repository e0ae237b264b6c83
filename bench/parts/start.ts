import type { Measurements } from '../measurements.ts';
import type { BenchOptions } from '../options.ts';
import type { Stack } from '../stack.ts';

/** A worker's start, from the command to the moment at which LiveKit may give it work. */
export async function measureStart(
  stack: Stack,
  options: BenchOptions,
  results: Measurements,
): Promise<void> {
  await results.repeat('start', options.starts, async () => {
    await stack.stopWorker();
    results.add('start', 'worker start to registered', await stack.startWorker());
    await stack.rest();
  });
}
