import { expect, it } from 'vitest';
import { createLog } from '../../src/log.ts';
import { Ending } from '../../src/runtime/ending.ts';
import { ManualClock, settled } from '../support/clock.ts';

function setup() {
  const clock = new ManualClock();
  const lines: Record<string, unknown>[] = [];
  const destination = { write: (line: string) => void lines.push(JSON.parse(line)) };
  const ending = new Ending({ clock, log: createLog({ level: 'warn', destination }) });
  return { clock, lines, ending };
}

it('goes on after the limit of a step that never ends, and says which it was and what was done instead', async () => {
  const { clock, lines, ending } = setup();
  const ended = ending.step('framework', 5_000, new Promise(() => {}), 'it is left');
  await clock.advance(4_999);
  expect(lines).toEqual([]);
  await clock.advance(1);
  expect(await ended).toBe(false);
  expect(ending.complete).toBe(false);
  expect(lines).toMatchObject([
    { step: 'framework', limitMs: 5_000, instead: 'it is left', err: { code: 'stop_incomplete' } },
  ]);
});

it('takes a step that fails for one that has ended, and reports it', async () => {
  const { clock, lines, ending } = setup();
  expect(await ending.step('leases', 5_000, Promise.reject(new Error('away')), 'nothing')).toBe(true);
  expect(ending.complete).toBe(true);
  expect(lines).toMatchObject([{ step: 'leases', err: { message: 'away' } }]);
  expect(clock.waiting).toBe(0);
});

it('waits for a condition, and not longer than it may', async () => {
  const { clock, ending } = setup();
  let over = false;
  const first = ending.until(() => over, 60_000);
  await clock.advance(30_000);
  over = true;
  await clock.advance(200);
  expect(await first).toBe(true);
  const second = ending.until(() => false, 250);
  await clock.advance(250);
  expect(await second).toBe(false);
  await settled();
  expect(clock.waiting).toBe(0);
});
