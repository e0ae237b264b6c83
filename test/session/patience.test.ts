import { expect, it } from 'vitest';
import { Patience } from '../../src/session/patience.ts';

/** Turns of a caller who speaks so long after each end that was seen. */
function after(...silencesMs: number[]): number {
  const patience = new Patience();
  let now = 0;
  for (const silenceMs of silencesMs) {
    patience.ended(now);
    now += silenceMs;
    patience.began(now);
    now += 1_000;
  }
  return patience.factor;
}

it('somebody whose turns end where they seem to is given no more time than others', () => {
  expect(after(3_000, 5_000, 1_500)).toBe(1);
});

it('who goes on after an end is given twice as long each time, up to a limit', () => {
  expect(after(400)).toBe(2);
  expect(after(400, 1_000)).toBe(4);
  expect(after(400, 1_000, 500, 300)).toBe(4);
});

it('three turns in a row that end take back one step', () => {
  expect(after(400, 400, 3_000, 3_000)).toBe(4);
  expect(after(400, 400, 3_000, 3_000, 3_000)).toBe(2);
  expect(after(400, 400, 3_000, 3_000, 400, 3_000)).toBe(4);
  expect(after(400, 400, 3_000, 3_000, 3_000, 3_000, 3_000, 3_000)).toBe(1);
});

it('an end that is seen twice in one silence counts from the first time', () => {
  const patience = new Patience();
  patience.ended(0);
  patience.ended(1_400);
  patience.began(1_600);
  expect(patience.factor).toBe(1);
});

it('who speaks where no end was seen changes nothing', () => {
  const patience = new Patience();
  patience.began(100);
  patience.began(200);
  expect(patience.factor).toBe(1);
});
