import { initializeLogger, VAD, type VADEvent, VADEventType, type VADStream } from '@livekit/agents';
import { AudioFrame } from '@livekit/rtc-node';
import { expect, onTestFinished, test } from 'vitest';
import { createFlite } from '../../src/embedded/rehearsal/speech/flite.ts';
import { SPEECH_RATE } from '../../src/embedded/rehearsal/speech/library.ts';
import { BARGE_IN_MS } from '../../src/session/media.ts';
import { loadVad } from '../../src/session/models.ts';
import { Onset } from '../../src/session/onset.ts';
import { ManualClock } from '../support/clock.ts';
import { COUGH } from '../support/cough.ts';

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

interface Sound {
  readonly samples: Int16Array;
  readonly sampleRate: number;
}

async function spoken(words: string, voice = 'slt'): Promise<Sound> {
  const flite = createFlite();
  onTestFinished(() => flite.close());
  return flite.speak(words, voice, 1);
}

/** After so much of a line on which there is no more than a faint noise. */
function after(quietMs: number, { samples, sampleRate }: Sound): Sound {
  const quiet = Math.round((quietMs * sampleRate) / 1_000);
  const all = new Int16Array(quiet + samples.length).map((_, at) => ((at * 7_919) % 41) - 20);
  all.set(samples, quiet);
  return { samples: all, sampleRate };
}

function hears(vad: VAD, { samples, sampleRate }: Sound): VADStream {
  const stream = vad.stream();
  onTestFinished(() => stream.close());
  const size = sampleRate / 50;
  for (let from = 0; from + size <= samples.length; from += size)
    stream.pushFrame(new AudioFrame(samples.slice(from, from + size), sampleRate, 1, size));
  return stream;
}

/** How likely a voice is in a window of sound, and how loud it is as a part of full scale. */
type Told = number | readonly [probability: number, loudness: number];

class ToldVad extends VAD {
  readonly label = 'told';
  readonly #told: readonly Told[];

  constructor(told: readonly Told[]) {
    super({ updateInterval: 32 });
    this.#told = told;
  }

  override stream(): VADStream {
    const left = [...this.#told];
    const next = async () => {
      const told = left.shift();
      if (told === undefined) return { done: true, value: undefined };
      const [probability, loudness] = typeof told === 'number' ? [told, 0] : told;
      const samples = new Int16Array(512).fill(32_767 * loudness);
      const frames = [new AudioFrame(samples, 16_000, 1, samples.length)];
      const value = { type: VADEventType.INFERENCE_DONE, probability, speaking: false, frames };
      return { done: false, value };
    };
    return { next } as unknown as VADStream;
  }
}

const times = (count: number, told: Told): Told[] => Array.from({ length: count }, () => told);

test('a voice counts as long enough to interrupt with the same window of sound that it began in', async () => {
  const { onset } = setup();
  const stream = hears(onset.watch(await loadVad()), await spoken('Stop, that is enough.'));
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
    const stream = hears(onset.watch(await loadVad()), await spoken(words));
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

test.for([
  ['kal', 'Stop, that is enough.'],
  ['kal', 'Excuse me.'],
  ['kal', 'Sorry, can I ask something?'],
] as const)(
  'it holds with the sound that %s begins “%s” with, before there is a voice in it',
  async ([voice, words]) => {
    const { onset, call } = setup();
    const stream = hears(onset.watch(await loadVad()), after(1_000, await spoken(words, voice)));
    let event: VADEvent;
    do event = (await stream.next()).value as VADEvent;
    while (!call.isPaused);
    expect(event.probability).toBeLessThan(0.4);
  },
);

test('a cough is no beginning, however sudden', async () => {
  const { onset, call } = setup();
  const cough = { samples: COUGH.samples, sampleRate: SPEECH_RATE };
  const stream = hears(onset.watch(await loadVad()), after(1_000, cough));
  for (let window = 0; window < 44; window += 1) {
    await stream.next();
    expect(call.isPaused).toBe(false);
  }
});

test.for([
  ['that is as loud as what was there before', [...times(30, [0.2, 0.1]), [0.2, 0.2]]],
  ['that is hardly heard', [...times(30, 0), [0.2, 0.002]]],
  ['that comes with the first words of the agent', [...times(10, 0), [0.2, 0.5]]],
] as const)('nothing is held for a possible voice %s', async ([, told]) => {
  const { onset, call } = setup();
  const stream = onset.watch(new ToldVad(told)).stream();
  for (let next = await stream.next(); !next.done; next = await stream.next())
    expect(call.isPaused).toBe(false);
});

test('a possible voice that is suddenly loud is given way', async () => {
  const { onset, call } = setup();
  const stream = onset.watch(new ToldVad([...times(30, [0.2, 0.01]), [0.2, 0.1]])).stream();
  for (let window = 0; window < 30; window += 1) await stream.next();
  expect(call.isPaused).toBe(false);
  await stream.next();
  expect(call.isPaused).toBe(true);
});

test('the agent goes on when the next window of sound has no voice in it, and does not stammer', async () => {
  const { onset, call, clock } = setup();
  const stream = onset.watch(new ToldVad([0.1, 0.45, 0.02, 0.45, 0.45, 0.02])).stream();
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
  const stream = onset.watch(new ToldVad(times(40, 0.45))).stream();
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

test('a possible voice is given the time of “st” to become a likely one, and that the time to begin', async () => {
  const { onset, call, clock } = setup();
  const stream = onset.watch(new ToldVad([...times(30, 0), [0.1, 0.1], 0.2, 0.45, 0.45])).stream();
  for (let window = 0; window < 31; window += 1) await stream.next();
  await clock.advance(199);
  expect(call.isPaused).toBe(true);
  await stream.next();
  await stream.next();
  await clock.advance(100);
  await stream.next();
  expect(call.isPaused).toBe(true);
  await clock.advance(20);
  expect(call.isPaused).toBe(false);
});

test('a possible voice that stays one is none', async () => {
  const { onset, call, clock } = setup();
  const stream = onset.watch(new ToldVad([...times(30, 0), [0.1, 0.1], 0.2])).stream();
  for (let window = 0; window < 32; window += 1) await stream.next();
  expect(call.isPaused).toBe(true);
  await clock.advance(200);
  expect(call.isPaused).toBe(false);
});

test('what ends meanwhile for the framework ends when both are over', async () => {
  const { onset, call, output } = setup();
  const stream = onset.watch(new ToldVad([0.45, 0.02])).stream();
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
