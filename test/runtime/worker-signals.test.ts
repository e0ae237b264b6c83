import { EventEmitter } from 'node:events';
import { expect, it } from 'vitest';
import { watchWorker } from '../../src/runtime/worker-signals.ts';
import { ManualClock } from '../support/clock.ts';

function setup() {
  const channel = new EventEmitter();
  const clock = new ManualClock();
  const left: string[] = [];
  watchWorker(channel, clock, (why) => left.push(why));
  return { channel, clock, left };
}

it('leaves when the worker asks for it, once, whatever else it says', async () => {
  const { channel, left } = setup();
  channel.emit('message', { case: 'inferenceResponse', value: {} });
  channel.emit('message', 'nonsense');
  expect(left).toEqual([]);
  channel.emit('message', { case: 'shutdownRequest', value: { reason: 'x' } });
  channel.emit('message', { case: 'shutdownRequest', value: { reason: 'x' } });
  channel.emit('disconnect');
  expect(left).toEqual(['the worker stops']);
});

it('leaves when the worker is dead', () => {
  const { channel, left } = setup();
  channel.emit('disconnect');
  expect(left).toEqual(['the worker died']);
});

it('leaves when the worker falls silent, and not before its first ping', async () => {
  const { channel, clock, left } = setup();
  await clock.advance(60_000);
  for (let pings = 0; pings < 4; pings += 1) {
    channel.emit('message', { case: 'pingRequest', value: { timestamp: 0 } });
    await clock.advance(2_500);
  }
  expect(left).toEqual([]);
  await clock.advance(6_000);
  expect(left).toEqual(['the worker does not answer']);
});
