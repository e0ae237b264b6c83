import { existsSync } from 'node:fs';
import { mkdir, mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { Child, type ChildOptions } from '../../src/embedded/child.ts';
import { isRunning, startVictim } from './orphans.ts';

let folder: string;
const children: Child[] = [];
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'floorwalker-child-'));
});
afterEach(async () => {
  await Promise.all(children.splice(0).map((child) => child.stop()));
  await rm(folder, { recursive: true, force: true });
});

function shell(script: string, options: Partial<ChildOptions> = {}): Child {
  const child = new Child({
    name: 'test program',
    command: '/bin/sh',
    args: ['-c', script],
    env: { PATH: '/usr/bin:/bin' },
    ...options,
  });
  children.push(child);
  return child;
}

describe('a child process', () => {
  test('its pid is the program itself, and stopping it ends it', async () => {
    const child = shell('exec sleep 60');
    await child.start();
    // It has its pid before the shell has made way for the program.
    await expect.poll(() => readFile(`/proc/${child.pid}/cmdline`, 'utf8')).toBe('sleep\u000060\u0000');
    await child.stop();
    expect(await child.exited).toMatchObject({ signal: 'SIGTERM' });
    expect(isRunning(child.pid ?? 0)).toBe(false);
  });

  test('one that does not stop in time is killed with all it started', async () => {
    let grandchild = 0;
    const { promise: told, resolve } = Promise.withResolvers<void>();
    const child = shell('trap "" TERM; sleep 61 & echo $!; while true; do sleep 1; done', {
      killAfterMs: 200,
      onLine: (line) => {
        grandchild = Number(line);
        resolve();
      },
    });
    await child.start();
    await told;
    await child.stop();
    expect(await child.exited).toMatchObject({ signal: 'SIGKILL' });
    await expect.poll(() => [isRunning(child.pid ?? 0), isRunning(grandchild)]).toEqual([false, false]);
  });

  test('stopping twice, before the start and after the end is safe', async () => {
    const never = shell('true');
    await never.stop();
    await expect(never.start()).rejects.toThrow('already');
    const child = shell('exit 3');
    await child.start();
    expect(await child.exited).toEqual({ code: 3, signal: null });
    await Promise.all([child.stop(), child.stop()]);
  });

  test('what it leaves behind when it ends is killed', async () => {
    let left = 0;
    const child = shell('sleep 62 & echo $!', {
      onLine: (line) => {
        left = Number(line);
      },
    });
    await child.start();
    await child.exited;
    await expect.poll(() => left).toBeGreaterThan(0);
    await expect.poll(() => isRunning(left)).toBe(false);
  });

  test('a program that does not exist ends with 127 and says so', async () => {
    const child = shell('', { command: join(folder, 'nowhere'), args: [] });
    await child.start();
    expect(await child.exited).toEqual({ code: 127, signal: null });
    await expect.poll(() => child.tail).toContain('nowhere');
  });

  test('input reaches it, and its output the log file', async () => {
    const child = shell('cat; echo to stderr >&2', { input: 'a secret', logFile: join(folder, 'log') });
    await child.start();
    await child.exited;
    await expect.poll(() => readFile(join(folder, 'log'), 'utf8')).toMatch(/a secret\n|to stderr\n/);
    await expect.poll(() => child.tail.split('\n').sort()).toEqual(['a secret', 'to stderr']);
  });

  test('when we are killed it is stopped, then killed, and its folder removed, always', async () => {
    const doomed = join(folder, 'doomed');
    const left = join(folder, 'left');
    await Promise.all([mkdir(doomed), mkdir(left)]);
    const { process: victim, line } = await startVictim(
      folder,
      `import { Child } from 'SRC/child.ts';
       const options = { command: '/bin/sh', env: { PATH: '/usr/bin:/bin' }, orphanKillAfterMs: 300 };
       const polite = new Child({ ...options, name: 'polite', removeWhenOrphaned: ${JSON.stringify(left)},
         args: ['-c', 'exec sleep 63'] });
       const deaf = new Child({ ...options, name: 'deaf', removeWhenOrphaned: ${JSON.stringify(doomed)},
         args: ['-c', 'trap "" TERM; while true; do sleep 1; done'] });
       await polite.start();
       await deaf.start();
       console.log(JSON.stringify({ pids: [polite.pid, deaf.pid] }));`,
    );
    const pids = line.pids as number[];
    expect(pids.map(isRunning)).toEqual([true, true]);
    victim.kill('SIGKILL');
    await expect.poll(() => pids.map(isRunning), { timeout: 20_000 }).toEqual([false, false]);
    await expect
      .poll(() => [existsSync(doomed), existsSync(left)], { timeout: 20_000 })
      .toEqual([false, false]);
  });
});
