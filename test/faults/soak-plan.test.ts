import { expect, it } from 'vitest';
import { deathsOf, turnsOf } from './support/soak-plan.ts';

const run = { seed: 7, minutes: 5, workers: 2 };

it('a seed makes the same choices again, whatever the machine does meanwhile', () => {
  expect(deathsOf(run)).toEqual(deathsOf(run));
  expect(turnsOf(7, 3, 11)).toEqual(turnsOf(7, 3, 11));
});

it('a longer run begins like a shorter one, so that a failure can be come to again', () => {
  const short = deathsOf(run);
  expect(deathsOf({ ...run, minutes: 10 }).slice(0, short.length)).toEqual(short);
});

it('another seed, customer or conversation makes other choices', () => {
  expect(deathsOf({ ...run, seed: 8 })).not.toEqual(deathsOf(run));
  expect(turnsOf(7, 3, 12)).not.toEqual(turnsOf(7, 3, 11));
  expect(turnsOf(7, 4, 11)).not.toEqual(turnsOf(7, 3, 11));
  expect(turnsOf(8, 3, 11)).not.toEqual(turnsOf(7, 3, 11));
});

it('everything that can die does, on every worker', () => {
  const deaths = deathsOf({ ...run, minutes: 60 });
  expect(new Set(deaths.map(({ kind }) => kind))).toEqual(
    new Set(['process', 'all', 'worker', 'stop', 'drain']),
  );
  expect(new Set(deaths.map(({ worker }) => worker))).toEqual(new Set([0, 1]));
});
