import { expect, it } from 'vitest';
import { ArrivalOrder } from '../../src/session/arrival-order.ts';
import { ManualClock } from '../support/clock.ts';

function setup() {
  const clock = new ManualClock();
  const order = new ArrivalOrder(clock);
  const delivered: string[] = [];
  const begin = (name: string) => {
    const complete = order.begin();
    return () => complete(() => void delivered.push(name));
  };
  return { clock, delivered, begin };
}

it('delivers in the order in which writing began, whatever is complete first', () => {
  const { delivered, begin } = setup();
  const [one, two, three] = [begin('one'), begin('two'), begin('three')];
  three();
  one();
  expect(delivered).toEqual(['one']);
  two();
  expect(delivered).toEqual(['one', 'two', 'three']);
});

it('a message that never ends holds the next one up for a moment only, and comes late if it comes', async () => {
  const { clock, delivered, begin } = setup();
  const never = begin('never');
  const next = begin('next');
  next();
  await clock.advance(999);
  expect(delivered).toEqual([]);
  await clock.advance(1);
  expect(delivered).toEqual(['next']);
  begin('after')();
  never();
  expect(delivered).toEqual(['next', 'after', 'never']);
});
