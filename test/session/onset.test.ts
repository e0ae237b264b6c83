import { initializeLogger, VAD, type VADEvent, VADEventType, type VADStream } from '@livekit/agents';
import { AudioFrame } from '@livekit/rtc-node';
import { expect, onTestFinished, test } from 'vitest';
import { createFlite } from '../../src/embedded/rehearsal/speech/flite.ts';
import { BARGE_IN_MS } from '../../src/session/media.ts';
import { loadVad } from '../../src/session/models.ts';
import { Onset } from '../../src/session/onset.ts';
import { ManualClock } from '../support/clock.ts';

initializeLogger({ pretty: false, level: 'silent' });

/** A call whose agent is speaking, and what its output is told. */
function setup() {
  const clock = new ManualClock();
  const call = { isSpeaking: true, isPaused: false };
  const output = {
    pause: () => {
      call.isPaused = true;
    },
    resume: () => {
      call.isPaused = false;
    },
  };
  const onset = new Onset({ clock, isAgentSpeaking: () => call.isSpeaking });
  onset.listen(output);
  return { clock, call, onset, output };
}

async function hears(vad: VAD, words: string): Promise<VADStream> {
  const flite = createFlite();
  onTestFinished(() => flite.close());
  const { samples, sampleRate } = await flite.speak(words, 'slt', 1);
  const stream = vad.stream();
  onTestFinished(() => stream.close());
  const size = sampleRate / 50;
  for (let from = 0; from + size <= samples.length; from += size)
    stream.pushFrame(new AudioFrame(samples.slice(from, from + size), sampleRate, 1, size));
  return stream;
}

/** Windows of sound in which a voice is as likely as told. */
class ToldVad extends VAD {
  readonly label = 'told';
  readonly #probabilities: readonly number[];

  constructor(probabilities: readonly number[]) {
    super({ updateInterval: 32 });
    this.#probabilities = probabilities;
  }

  override stream(): VADStream {
    const left = [...this.#probabilities];
    const next = async () => {
      const probability = left.shift();
      if (probability === undefined) return { done: true, value: undefined };
      return { done: false, value: { type: VADEventType.INFERENCE_DONE, probability, speaking: false } };
    };
    return { next } as unknown as VADStream;
  }
}

test('a voice counts as long enough to interrupt with the same window of sound that it began in', async () => {
  const { onset } = setup();
  const stream = await hears(onset.watch(await loadVad()), 'Stop, that is enough.');
  const events: VADEvent[] = [];
  const isLongEnough = ({ type, speechDuration }: VADEvent): boolean =>
    type === VADEventType.INFERENCE_DONE && speechDuration >= BARGE_IN_MS;
  while (!events.some(isLongEnough)) events.push((await stream.next()).value as VADEvent);
  const begun = events.findIndex(({ type }) => type === VADEventType.START_OF_SPEECH);
  expect(begun).toBeGreaterThan(0);
  const longEnough = events.findIndex(isLongEnough);
  expect(longEnough).toBe(begun + 1);
  expect(events[longEnough]?.samplesIndex).toBe(events[begun]?.samplesIndex);
});

test.for(['Stop, that is enough.', 'Wait a moment.', 'No, the other order.'])(
  'the agent holds before the voice of “%s” has begun for the framework, and stays silent with it',
  async (words) => {
    const { onset, call, output, clock } = setup();
    const stream = await hears(onset.watch(await loadVad()), words);
    let event: VADEvent;
    do {
      event = (await stream.next()).value as VADEvent;
      if (call.isPaused) break;
    } while (event.type !== VADEventType.START_OF_SPEECH);
    expect(call.isPaused).toBe(true);
    expect(event.type).toBe(VADEventType.INFERENCE_DONE);
    expect(event.speaking).toBe(false);
    output.pause();
    await clock.advance(10_000);
    expect(call.isPaused).toBe(true);
    output.resume();
    expect(call.isPaused).toBe(false);
  },
);

test('the agent goes on when the next window of sound has no voice in it, and does not stammer', async () => {
  const { onset, call, clock } = setup();
  const stream = onset.watch(new ToldVad([0.1, 0.45, 0.2, 0.45, 0.45, 0.1])).stream();
  const told: boolean[] = [];
  for (let window = 0; window < 4; window += 1) {
    await stream.next();
    told.push(call.isPaused);
  }
  expect(told).toEqual([false, true, false, false]);
  await clock.advance(3_000);
  await stream.next();
  expect(call.isPaused).toBe(true);
  await stream.next();
  expect(call.isPaused).toBe(false);
});

test('on a noisy line the agent holds less and less often, until a voice was one', async () => {
  const { onset, call, clock, output } = setup();
  const stream = onset.watch(new ToldVad(Array.from({ length: 40 }, () => 0.45))).stream();
  const holdsAfter = async (ms: number): Promise<boolean> => {
    await clock.advance(ms);
    await stream.next();
    return call.isPaused;
  };
  expect(await holdsAfter(0)).toBe(true);
  expect(await holdsAfter(120)).toBe(false);
  expect(await holdsAfter(3_000)).toBe(true);
  expect(await holdsAfter(120)).toBe(false);
  expect(await holdsAfter(3_000)).toBe(false);
  expect(await holdsAfter(3_000)).toBe(true);
  output.pause();
  await clock.advance(120);
  output.resume();
  expect(await holdsAfter(0)).toBe(true);
  await clock.advance(120);
  expect(await holdsAfter(3_000)).toBe(true);
});

test('whatever the sound does, the agent is not held for longer than it takes to know', async () => {
  const { onset, call, clock } = setup();
  const stream = onset.watch(new ToldVad([0.45])).stream();
  await stream.next();
  expect(call.isPaused).toBe(true);
  await clock.advance(119);
  expect(call.isPaused).toBe(true);
  await clock.advance(1);
  expect(call.isPaused).toBe(false);
});

test('what ends meanwhile for the framework ends when both are over', async () => {
  const { onset, call, output } = setup();
  const stream = onset.watch(new ToldVad([0.45, 0.1])).stream();
  await stream.next();
  output.pause();
  output.resume();
  expect(call.isPaused).toBe(true);
  await stream.next();
  expect(call.isPaused).toBe(false);
});

test('nothing is held while the agent is silent', async () => {
  const { onset, call } = setup();
  call.isSpeaking = false;
  const stream = onset.watch(new ToldVad([0.9])).stream();
  await stream.next();
  expect(call.isPaused).toBe(false);
});
