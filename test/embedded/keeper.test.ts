import { afterEach, describe, expect, test } from 'vitest';
import { Keeper, type Running } from '../../src/cli/demo/keeper.ts';
import { Child } from '../../src/embedded/child.ts';
import { isRunning } from './orphans.ts';

const keepers: Keeper[] = [];
afterEach(async () => {
  await Promise.all(keepers.splice(0).map((keeper) => keeper.stop()));
});

async function sleeper(): Promise<Running> {
  const child = new Child({
    name: 'sleeper',
    command: '/bin/sleep',
    args: ['60'],
    env: { PATH: '/usr/bin:/bin' },
  });
  await child.start();
  return { pid: child.pid ?? 0, exited: child.exited, stop: () => child.stop() };
}

function keep(start: () => Promise<Running>) {
  const lines: string[] = [];
  const pids: (number | undefined)[] = [];
  const keeper: Keeper = new Keeper({
    name: 'sleeper',
    start,
    say: (line) => lines.push(line),
    onChange: () => pids.push(keeper.pid),
  });
  keepers.push(keeper);
  return { keeper, lines, pids };
}

describe('a kept process', () => {
  test('is started again when it dies, with a line for each', async () => {
    const { keeper, lines, pids } = keep(sleeper);
    await keeper.start();
    const first = keeper.pid ?? 0;
    process.kill(first, 'SIGKILL');
    await expect.poll(() => lines.length, { timeout: 20_000 }).toBe(2);
    const second = keeper.pid ?? 0;
    expect(lines).toEqual([
      `sleeper (process ${first}) died (SIGKILL); starting it again`,
      `sleeper runs again (process ${second})`,
    ]);
    expect(pids).toEqual([undefined, second]);
    expect(isRunning(second)).toBe(true);
  });

  test('that cannot be started again is tried again, later', async () => {
    let starts = 0;
    const { keeper, lines } = keep(async () => {
      starts += 1;
      if (starts === 2) throw new Error('not yet\nand details');
      return sleeper();
    });
    await keeper.start();
    process.kill(keeper.pid ?? 0, 'SIGTERM');
    await expect.poll(() => lines.length, { timeout: 20_000 }).toBe(3);
    expect(lines[0]).toMatch(/died \(SIGTERM\)/);
    expect(lines[1]).toBe('sleeper could not be started: not yet');
    expect(lines[2]).toMatch(/runs again/);
  });

  test('stays stopped, whether it ran, was just starting or waited to be started again', async () => {
    const running = keep(sleeper);
    await running.keeper.start();
    const pid = running.keeper.pid ?? 0;
    await Promise.all([running.keeper.stop(), running.keeper.stop()]);
    expect(isRunning(pid)).toBe(false);
    expect(running.lines).toEqual([]);

    const { promise: gate, resolve: open } = Promise.withResolvers<void>();
    let started: Running | undefined;
    const starting = keep(async () => {
      await gate;
      started = await sleeper();
      return started;
    });
    const start = starting.keeper.start();
    const stop = starting.keeper.stop();
    open();
    await Promise.all([start, stop]);
    expect(started && isRunning(started.pid)).toBe(false);

    const waiting = keep(sleeper);
    await waiting.keeper.start();
    process.kill(waiting.keeper.pid ?? 0, 'SIGKILL');
    await expect.poll(() => waiting.lines.length).toBe(1);
    await waiting.keeper.stop();
    expect(waiting.keeper.pid).toBeUndefined();
    expect(waiting.lines).toHaveLength(1);
  });

  test('that fails at its first start is the error of whoever started it', async () => {
    const { keeper, lines } = keep(() => Promise.reject(new Error('no such thing')));
    await expect(keeper.start()).rejects.toThrow('no such thing');
    await keeper.stop();
    expect(lines).toEqual([]);
  });
});
