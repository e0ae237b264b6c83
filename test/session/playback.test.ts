import { EventEmitter } from 'node:events';
import { voice } from '@livekit/agents';
import { expect, it } from 'vitest';
import { Playback } from '../../src/session/playback.ts';

const WORDS = 'Hello, this is\nHarbour Goods. How can I help?';

function setup() {
  const playback = new Playback();
  // What the framework's sound outputs tell those who listen.
  const output = new EventEmitter();
  playback.listen(output as unknown as voice.AudioOutput);
  const { EVENT_PLAYBACK_FINISHED: finished, EVENT_PLAYBACK_STARTED: started } = voice.AudioOutput;
  return {
    playback,
    starts: () => output.emit(started, { createdAt: 1 }),
    ends: (synchronizedTranscript?: string) =>
      output.emit(finished, { playbackPosition: 1, interrupted: true, synchronizedTranscript }),
  };
}

it('of words that were broken off there is what was heard, on lines of their own or not', () => {
  const { playback, starts, ends } = setup();
  starts();
  ends('Hello, this is Harbour ');
  expect(playback.heardOf(WORDS)).toBe('Hello, this is Harbour');
});

it('nothing heard is nothing', () => {
  const { playback, starts, ends } = setup();
  starts();
  ends('');
  expect(playback.heardOf(WORDS)).toBe('');
});

it('where it is not known, or of other words, they count as said', () => {
  const { playback, starts, ends } = setup();
  expect(playback.heardOf(WORDS)).toBe(WORDS);
  starts();
  ends('One moment');
  expect(playback.heardOf(WORDS)).toBe(WORDS);
  starts();
  expect(playback.heardOf('One moment, please.')).toBe('One moment, please.');
  ends();
  expect(playback.heardOf(WORDS)).toBe(WORDS);
});
