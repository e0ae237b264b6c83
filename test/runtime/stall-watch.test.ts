import { fork } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { expect, it } from 'vitest';
import type { StallReport } from '../../src/runtime/host-messages.ts';
import { readStallReports } from '../../src/runtime/stall-reports.ts';

const PROCESS = fileURLToPath(new URL('stalling-process.ts', import.meta.url));

/** What its watching thread says of a process that stands still. */
async function reportOf(how: string): Promise<StallReport> {
  const child = fork(PROCESS, [how], {
    stdio: ['ignore', 'ignore', 'inherit', 'ipc', 'pipe'],
    execArgv: ['--disable-warning=ExperimentalWarning'],
  });
  const exited = once(child, 'exit');
  try {
    return await Promise.race([
      new Promise<StallReport>((resolve) => {
        readStallReports(child, resolve);
      }),
      exited.then(() => Promise.reject(new Error('it ended by itself'))),
    ]);
  } finally {
    child.kill('SIGKILL');
    await exited;
  }
}

it.each([
  ['in a loop without end', 'loop'],
  ['in a regular expression', 'expression'],
])(
  'names the session that holds up its process %s, and where',
  async (_, how) => {
    const { session, frames } = await reportOf(how);
    expect(session).toBe('agent-11111111-2222-4333-8444-555555555552-g2');
    expect(frames[0]).toMatch(/^block runtime\/stalling-process\.ts:\d+$/);
  },
  60_000,
);

it('names nobody when the work belongs to no session', async () => {
  const { session, frames } = await reportOf('nobody');
  expect(session).toBe(null);
  expect(frames.length).toBeGreaterThan(0);
}, 60_000);
