import { initializeLogger, normalizeLanguage } from '@livekit/agents';
import { describe, expect, it, onTestFinished } from 'vitest';
import { judgeWords, TurnEnd } from '../../src/session/turn-end.ts';
import { ManualClock } from '../support/clock.ts';

initializeLogger({ pretty: false, level: 'silent' });

describe('what the words say', () => {
  it.each(['Where is my order?', 'It is late.', 'He said "no."', '注文はどこですか？', 'Stop! '])(
    'the sentence is complete: %s',
    (text) => {
      expect(judgeWords(text)).toBe('complete');
    },
  );

  it.each([
    '',
    'I would like to know',
    'I mean...',
    'Well…',
    'about 4.5',
    'It is 1042.',
    'one zero four two.',
  ])('nothing ends here: %s', (text) => {
    expect(judgeWords(text)).toBe('open');
  });

  it.each([
    'My number is,',
    'My order number is.',
    'Yes, and',
    'It was about the.',
    'I called because um...',
  ])('more is to come: %s', (text) => {
    expect(judgeWords(text, 'en-US')).toBe('leading on');
  });

  it('words of one language mean nothing in another', () => {
    expect(judgeWords('Ich bin um.', 'de')).toBe('complete');
  });
});

/** What the framework's model says of the sound, in the place of the model. */
async function judged(endProbability: number, words: string) {
  const clock = new ManualClock();
  const executor = { doInference: async () => ({ probability: endProbability, inferenceDurationMs: 1 }) };
  const judge = new TurnEnd(clock, 2_500, { executor });
  const stream = judge.stream();
  onTestFinished(() => stream.aclose());
  judge.began();
  const { endOfTurnProbability } = await stream.predict().await;
  judge.heard(words);
  let threshold: number | undefined;
  const asked = stream.unlikelyThreshold(normalizeLanguage('en')).then((value) => {
    threshold = value;
  });
  return {
    clock,
    asked,
    isOver: () => threshold !== undefined && endOfTurnProbability >= threshold,
    answered: () => threshold !== undefined,
  };
}

describe('the end of a turn', () => {
  it.each([
    [0.4, 'Where is my order?', 76, 'words and sound agree'],
    [0.25, 'It is late.', 126, 'the sound doubts it'],
    [0.05, 'Where is my order?', 126, 'the sound denies it, and it is a question'],
    [0.15, 'It is late.', 576, 'the sound denies it'],
  ])('is, at %s and "%s", after %s ms more: %s', async (probability, words, waitMs) => {
    const { answered, isOver, clock } = await judged(probability, words);
    await clock.advance(waitMs - 1);
    expect(answered()).toBe(false);
    await clock.advance(1);
    expect(isOver()).toBe(true);
  });

  it.each([
    [0.4, 'I would like to know', 'the words go on, and the sound is not surer than usual'],
    [0.99, 'My order number is.', 'the words lead on'],
  ])('is not where %s and "%s": %s', async (probability, words) => {
    const { asked, isOver } = await judged(probability, words);
    await asked;
    expect(isOver()).toBe(false);
  });

  it('is where the words are open and the sound is sure', async () => {
    const { asked, isOver } = await judged(0.6, 'tomorrow at noon');
    await asked;
    expect(isOver()).toBe(true);
  });
});
