import { describe, expect, test } from 'vitest';
import { type Line, Transcript } from '../../src/customer-page/conversation/transcript.ts';

const shown = (transcript: Transcript) =>
  transcript.lines.map(({ from, text, state }) => `${from} ${state}: ${text}`);
const written = (id: string, text: string): Line => ({ id, from: 'customer', text, state: 'sending' });

describe('words as they come', () => {
  test('parts of one utterance are one line, complete when its stream ends', () => {
    const transcript = new Transcript();
    transcript.append('a', 'agent', 'Hello, ');
    transcript.append('a', 'agent', 'how can I help?');
    expect(shown(transcript)).toEqual(['agent speaking: Hello, how can I help?']);
    transcript.settle('a', 'done');
    expect(shown(transcript)).toEqual(['agent done: Hello, how can I help?']);
  });

  test('an utterance without a word is not shown', () => {
    const transcript = new Transcript();
    transcript.append('a', 'agent', ' ');
    transcript.settle('a', 'done');
    expect(transcript.lines).toEqual([]);
  });

  test('when the agent is gone, what it had begun to say is marked, and nothing else', () => {
    const transcript = new Transcript();
    transcript.append('a', 'agent', 'Your order is');
    transcript.put(written('m1', 'Hello?'));
    transcript.breakOff();
    expect(shown(transcript)).toEqual(['agent broken: Your order is', 'customer sending: Hello?']);
  });
});

describe('what the agent says was said before', () => {
  test('after a reload it is everything, and what was not stored yet stays behind it', () => {
    const transcript = new Transcript();
    transcript.put(written('m2', 'And my refund?'));
    transcript.merge([
      { id: 'x1', role: 'agent', text: 'Hello.' },
      { id: 'customer:m1', role: 'customer', text: 'Hi' },
      { id: 'x2', role: 'system', text: 'not for customers' },
      { id: 'supervisor:s1', role: 'supervisor', text: 'Sam here.' },
    ]);
    expect(shown(transcript)).toEqual([
      'agent done: Hello.',
      'customer done: Hi',
      'supervisor done: Sam here.',
      'customer sending: And my refund?',
    ]);
  });

  test('what the page has already is not there twice, under whatever id it came', () => {
    const transcript = new Transcript();
    transcript.append('stream-1', 'agent', 'Hello  there.');
    transcript.settle('stream-1', 'done');
    transcript.put({ ...written('m1', 'Yes'), state: 'done' });
    transcript.append('stream-2', 'agent', 'I will look');
    transcript.breakOff();
    transcript.put({ ...written('m2', 'Yes'), state: 'done' });
    transcript.merge([
      { id: 'x1', role: 'agent', text: 'Hello there.' },
      { id: 'customer:m1', role: 'customer', text: 'Yes' },
      { id: 'x2', role: 'agent', text: 'I will look that up.' },
      { id: 'customer:m2', role: 'customer', text: 'Yes' },
    ]);
    expect(transcript.lines.map(({ id, text }) => [id, text])).toEqual([
      ['stream-1', 'Hello there.'],
      ['m1', 'Yes'],
      ['stream-2', 'I will look that up.'],
      ['m2', 'Yes'],
    ]);
  });

  test('what broke off ends where the next agent goes on, and is not there twice', () => {
    const transcript = new Transcript();
    transcript.append('stream-1', 'agent', 'Your order is on its');
    transcript.breakOff();
    transcript.merge([{ id: 'x1', role: 'agent', text: 'Your order is' }]);
    transcript.append('stream-2', 'agent', ' on its way.');
    expect(shown(transcript)).toEqual(['agent done: Your order is', 'agent speaking:  on its way.']);
  });

  test('what broke off and was never stored goes, because it will be said again', () => {
    const transcript = new Transcript();
    transcript.append('stream-1', 'agent', 'Your order');
    transcript.breakOff();
    transcript.merge([{ id: 'customer:m1', role: 'customer', text: 'Where is it?' }]);
    expect(shown(transcript)).toEqual(['customer done: Where is it?']);
  });

  test('a message that is being sent is not taken for an earlier one with the same words', () => {
    const transcript = new Transcript();
    transcript.put(written('m9', 'Yes'));
    transcript.merge([{ id: 'customer:m1', role: 'customer', text: 'Yes' }]);
    expect(shown(transcript)).toEqual(['customer done: Yes', 'customer sending: Yes']);
  });
});
