import { initializeLogger, tts } from '@livekit/agents';
import { AudioFrame } from '@livekit/rtc-node';
import { expect, it } from 'vitest';
import { systemClock } from '../../src/session/clock.ts';
import { KeptSpeech, type Sounds } from '../../src/session/kept-speech.ts';

initializeLogger({ pretty: false, level: 'silent' });
const RATE = 24_000;

/** A speech service whose every sound is another: each of a second, the last one marked unless it breaks off. */
class Service extends tts.TTS {
  label = 'test';
  readonly asked: string[] = [];
  breaksOff = false;

  constructor() {
    super(RATE, 1, { streaming: false });
  }

  override synthesize(text: string): tts.ChunkedStream {
    this.asked.push(text);
    return new Sound(this, text, this.asked.length, !this.breaksOff);
  }

  override stream(): tts.SynthesizeStream {
    throw new Error('not streaming');
  }
}

class Sound extends tts.ChunkedStream {
  label = 'test';
  readonly #level: number;
  readonly #complete: boolean;

  constructor(service: Service, text: string, level: number, complete: boolean) {
    super(text, service);
    this.#level = level;
    this.#complete = complete;
  }

  protected async run(): Promise<void> {
    for (const part of [0, 1]) {
      const samples = Int16Array.from(
        { length: RATE / 2 },
        (_, nth) => this.#level * 100 + ((nth + part) % 90),
      );
      const frame = new AudioFrame(samples, RATE, 1, samples.length);
      this.queue.put({ requestId: 'r', segmentId: 's', frame, final: part === 1 && this.#complete });
    }
  }
}

function setup({ stuck = false } = {}) {
  const known = new Map<string, Int16Array>();
  const sounds: Sounds = {
    find: (key) => (stuck ? new Promise(() => {}) : Promise.resolve(known.get(key))),
    keep: (key, samples) => void known.set(key, samples),
  };
  const service = new Service();
  /** As the next call has it: the same sounds, a voice of its own. */
  const speaker = (voice: Record<string, string | number> = { voice: 'coral', speed: 1, language: 'en' }) => {
    const words = { include: (sentence: string) => sentence.startsWith('Fixed') };
    const speech = new KeptSpeech(service, { sounds, voice, words, clock: systemClock });
    const say = async (words: string) => {
      const samples: number[] = [];
      let requestId = '';
      for await (const sound of speech.synthesize(words)) {
        samples.push(...sound.frame.data);
        requestId = sound.requestId;
      }
      return { samples, kept: requestId === 'kept' };
    };
    return Object.assign(say, { prepare: (text: string) => speech.prepare(text) });
  };
  return { service, speaker, known };
}

it('fixed words are asked for once, and heard again sample by sample', async () => {
  const { service, speaker } = setup();
  const first = await speaker()('Fixed words.');
  const second = await speaker()('Fixed words.');
  const third = await speaker()('Fixed words.');
  expect(service.asked).toEqual(['Fixed words.']);
  expect(first.kept).toBe(false);
  expect(second).toEqual({ samples: first.samples, kept: true });
  expect(third).toEqual(second);
});

it('other words go to the service each time, and are not kept', async () => {
  const { service, speaker, known } = setup();
  const say = speaker();
  expect((await say('Of Ada.')).samples).not.toEqual((await say('Of Ada.')).samples);
  expect(service.asked).toHaveLength(2);
  expect(known.size).toBe(0);
});

it.each([
  ['voice', { voice: 'onyx', speed: 1, language: 'en' }],
  ['speed', { voice: 'coral', speed: 1.2, language: 'en' }],
  ['language', { voice: 'coral', speed: 1, language: 'pt' }],
])('another %s is another sound', async (_what, voice) => {
  const { service, speaker } = setup();
  await speaker()('Fixed words.');
  expect((await speaker(voice)('Fixed words.')).kept).toBe(false);
  expect(service.asked).toHaveLength(2);
});

it('a sentence that broke off is not kept', async () => {
  const { service, speaker, known } = setup();
  service.breaksOff = true;
  expect((await speaker()('Fixed words.')).samples.length).toBeGreaterThan(0);
  expect(known.size).toBe(0);
});

it('what can not be looked up in time is asked of the service', async () => {
  const { service, speaker } = setup({ stuck: true });
  const { samples, kept } = await speaker()('Fixed words.');
  expect(kept).toBe(false);
  expect(samples).toHaveLength(RATE);
  expect(service.asked).toEqual(['Fixed words.']);
});

it('what is prepared is on its way before anybody asks for it, each sentence once', async () => {
  const { service, speaker } = setup();
  await speaker()('Fixed words, to begin with.');
  const say = speaker();
  say.prepare(
    'Fixed words, to begin with. This is for Ada Example alone. Fixed words that end with a question?',
  );
  await expect.poll(() => service.asked).toHaveLength(3);
  const first = await say('Fixed words, to begin with.');
  const second = await say('This is for Ada Example alone.');
  const third = await say('Fixed words that end with a question?');
  expect([first.kept, second.kept, third.kept]).toEqual([true, false, false]);
  expect(second.samples).toHaveLength(RATE);
  expect(third.samples).toHaveLength(RATE);
  expect(service.asked).toHaveLength(3);
  // Kept from now on; the one of a person is asked for again.
  expect((await speaker()('Fixed words that end with a question?')).kept).toBe(true);
  await say('This is for Ada Example alone.');
  expect(service.asked).toHaveLength(4);
});

it('what is asked for while it is still being looked for is asked of the service once', async () => {
  const { service, speaker } = setup({ stuck: true });
  const say = speaker();
  say.prepare('Fixed words, to begin with.');
  expect((await say('Fixed words, to begin with.')).samples).toHaveLength(RATE);
  expect(service.asked).toEqual(['Fixed words, to begin with.']);
});
