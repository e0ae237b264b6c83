import { expect, test } from 'vitest';
import { reportedLoad } from '../../src/runtime/reported-load.ts';

/** LiveKit's default, at which it ceases to offer. */
const TARGET = 0.7;

test('a worker is offered conversations until its last place is taken, the emptier one more often', () => {
  expect(reportedLoad(0)).toBe(0);
  expect(reportedLoad(49 / 50)).toBeLessThan(TARGET);
  expect(reportedLoad(0.8)).toBeGreaterThan(reportedLoad(0.4));
  expect(reportedLoad(1)).toBe(1);
  expect(reportedLoad(1.2)).toBe(1);
});
