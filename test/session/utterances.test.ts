import { expect, it } from 'vitest';
import { createLog } from '../../src/log.ts';
import { InterimFeed, type InterimRow } from '../../src/session/interim-feed.ts';
import { Utterances } from '../../src/session/utterances.ts';
import { ManualClock, settled } from '../support/clock.ts';

const KEY = { interactionId: 'i', generation: 2 };

it('a complete message carries the id under which it was begun, whole or cut off', () => {
  const utterances = new Utterances();
  const whole = utterances.begin();
  whole.add('Hello, ');
  whole.add('how can I help?');
  const cut = utterances.begin();
  cut.add('Once upon a time there was a ship.');
  expect(utterances.complete('Once upon a  time')).toBe(cut.id);
  expect(utterances.complete('Hello, how can I help?')).toBe(whole.id);
  expect(utterances.complete('Hello, how can I help?')).toBeUndefined();
});

it('the newest words of each utterance are sent together, the first at once and then not more often than every so often', async () => {
  const clock = new ManualClock();
  const sent: InterimRow[][] = [];
  const feed = new InterimFeed({
    send: async (rows) => void sent.push(rows),
    everyMs: 250,
    clock,
    log: createLog({ level: 'silent' }),
  });
  feed.spoken(KEY, { id: 'a', role: 'customer', text: 'where' });
  feed.spoken(KEY, { id: 'a', role: 'customer', text: 'where is' });
  feed.spoken(KEY, { id: 'b', role: 'agent', text: 'Hello' });
  feed.spoken(KEY, { id: 'c', role: 'agent', text: 'Stored already' });
  feed.complete(KEY, 'c');
  expect(sent).toEqual([]);
  await clock.advance(0);
  await settled();
  expect(sent).toEqual([
    [
      { interaction_id: 'i', generation: 2, item_id: 'a', role: 'customer', content: 'where is' },
      { interaction_id: 'i', generation: 2, item_id: 'b', role: 'agent', content: 'Hello' },
    ],
  ]);
  feed.spoken(KEY, { id: 'a', role: 'customer', text: 'where is it' });
  await clock.advance(249);
  expect(sent).toHaveLength(1);
  await clock.advance(1);
  await settled();
  expect(sent.at(-1)?.map(({ content }) => content)).toEqual(['where is it']);
});
