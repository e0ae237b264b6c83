import { initializeLogger, tts } from '@livekit/agents';
import { AudioFrame } from '@livekit/rtc-node';
import { expect, it } from 'vitest';
import { systemClock } from '../../src/session/clock.ts';
import { KeptSpeech, type Sounds } from '../../src/session/kept-speech.ts';

initializeLogger({ pretty: false, level: 'silent' });
const RATE = 24_000;
const GREETING = 'Fixed words, to begin with. Fixed words that end with a question?';

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
  const looked: string[] = [];
  const sounds: Sounds = {
    find: (key) => {
      looked.push(key);
      return stuck ? new Promise(() => {}) : Promise.resolve(known.get(key));
    },
    keep: (key, samples) => void known.set(key, samples),
  };
  const service = new Service();
  /** As the next call has it: the same sounds, a voice of its own. */
  const speaker = (voice: Record<string, string | number> = { voice: 'coral', speed: 1, language: 'en' }) => {
    const words = { greeting: GREETING, include: (sentence: string) => sentence.startsWith('Fixed') };
    const speech = new KeptSpeech(service, { sounds, voice, words, clock: systemClock });
    return async (words: string) => {
      const samples: number[] = [];
      let requestId = '';
      for await (const sound of speech.synthesize(words)) {
        samples.push(...sound.frame.data);
        requestId = sound.requestId;
      }
      return { samples, kept: requestId === 'kept' };
    };
  };
  return { service, speaker, known, looked };
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

it('the greeting is looked for before anybody asks for it, sentence by sentence', () => {
  const { speaker, looked } = setup();
  speaker();
  expect(looked).toHaveLength(2);
  expect(looked[0]).toContain('Fixed words, to begin with.');
  expect(looked[1]).toContain('Fixed words that end with a question?');
});
