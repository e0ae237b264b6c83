import { expect, it } from 'vitest';
import { createLog } from '../../src/log.ts';
import { InterimFeed, type InterimRow } from '../../src/session/interim-feed.ts';
import { ManualClock } from '../support/clock.ts';

const key = { interactionId: 'one', generation: 2 };

function setup() {
  const clock = new ManualClock();
  const writes: InterimRow[][] = [];
  const feed = new InterimFeed({
    send: async (rows) => void writes.push(rows),
    everyMs: 250,
    clock,
    log: createLog({ level: 'silent' }),
  });
  const say = (text: string, id = 'a', keptSince?: number) =>
    feed.spoken(key, { id, role: 'agent', text, keptSince });
  return {
    clock,
    feed,
    say,
    written: () => writes.map((rows) => rows.map(({ content }) => content)),
    writes,
  };
}

it('the first words go at once, and then the newest state at most every so often', async () => {
  const { clock, say, written } = setup();
  say('Your');
  await clock.advance(0);
  say('Your order');
  say('Your order is');
  await clock.advance(249);
  expect(written()).toEqual([['Your']]);
  await clock.advance(1);
  expect(written()).toEqual([['Your'], ['Your order is']]);
  await clock.advance(1_000);
  say('Your order is on');
  await clock.advance(0);
  expect(written()).toEqual([['Your'], ['Your order is'], ['Your order is on']]);
});

it('all who speak share a write, and what is complete is not sent any more', async () => {
  const { clock, feed, say, written } = setup();
  say('Hello', 'a');
  say('Good day', 'b');
  feed.complete(key, 'a');
  await clock.advance(0);
  expect(written()).toEqual([['Good day']]);
});

it('an answer that is shown as it comes says since when', async () => {
  const { clock, say, writes } = setup();
  say('Your order', 'a', clock.now());
  await clock.advance(0);
  expect(writes[0]?.[0]).toMatchObject({ generation: 2, began_at: new Date(clock.now()).toISOString() });
});
