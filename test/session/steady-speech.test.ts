import { initializeLogger, tts } from '@livekit/agents';
import { AudioFrame } from '@livekit/rtc-node';
import { expect, it } from 'vitest';
import { createLog } from '../../src/log.ts';
import { systemClock } from '../../src/session/clock.ts';
import { SteadySpeech } from '../../src/session/steady-speech.ts';

initializeLogger({ pretty: false, level: 'silent' });
const APOLOGY = 'Sorry about my voice.';
const RATE = 24_000;

type Deed = 'speaks' | 'fails' | 'hangs';

/** A speech service: what it does is decided by the test, by the text and how often it was asked for it. */
class Service extends tts.TTS {
  label = 'test';
  readonly asked: string[] = [];
  readonly answer: (input: string, times: number) => Deed;

  constructor(answer: (input: string, times: number) => Deed) {
    super(RATE, 1, { streaming: false });
    this.answer = answer;
  }

  override synthesize(text: string): tts.ChunkedStream {
    this.asked.push(text);
    const times = this.asked.filter((asked) => asked === text).length;
    return new Sound(this, text, this.answer(text, times));
  }

  override stream(): tts.SynthesizeStream {
    throw new Error('not streaming');
  }
}

class Sound extends tts.ChunkedStream {
  label = 'test';
  readonly #does: Deed;

  constructor(service: Service, text: string, does: Deed) {
    super(text, service);
    this.#does = does;
  }

  protected async run(): Promise<void> {
    // The plugin's stream that fails ends without a sound; its error goes elsewhere.
    if (this.#does === 'fails') return;
    if (this.#does === 'hangs') await new Promise<never>(() => {});
    // A second of sound for the apology, half a second for anything else.
    const samples = new Int16Array(this.inputText === APOLOGY ? RATE : RATE / 2).fill(1);
    const frame = new AudioFrame(samples, RATE, 1, samples.length);
    this.queue.put({ requestId: 'r', segmentId: 's', frame, final: true });
  }
}

function setup(answer: Service['answer']) {
  const service = new Service(answer);
  const failures = { count: 0 };
  const speech = new SteadySpeech(service, {
    apology: APOLOGY,
    firstSoundMs: 500,
    onUnspoken: () => {
      failures.count += 1;
    },
    clock: systemClock,
    log: createLog({ level: 'silent' }),
  });
  /** How much sound there is in the place of a text, and whether any of it can be heard. */
  const say = async (words: string) => {
    let durationMs = 0;
    let audible = false;
    for await (const { frame } of speech.synthesize(words)) {
      durationMs += (frame.samplesPerChannel / frame.sampleRate) * 1000;
      audible ||= frame.data.some((sample) => sample !== 0);
    }
    return { durationMs: Math.round(durationMs), audible };
  };
  return { say, failures, service };
}

it('speaks as the service does, and tries a sentence that failed once more', async () => {
  const { say, failures, service } = setup((input, times) =>
    input === 'Twice.' && times === 1 ? 'fails' : 'speaks',
  );
  expect(await say('Once.')).toEqual({ durationMs: 500, audible: true });
  expect(await say('Twice.')).toEqual({ durationMs: 500, audible: true });
  expect(service.asked.filter((input) => input === 'Twice.')).toHaveLength(2);
  expect(failures.count).toBe(0);
});

it.each(['fails', 'hangs'] as const)(
  'says the apology that it made before when the service %s, once and not for every sentence',
  async (how) => {
    const { say, failures, service } = setup((input) =>
      ['Hello.', APOLOGY].includes(input) ? 'speaks' : how,
    );
    await say('Hello.');
    await expect.poll(() => service.asked).toContain(APOLOGY);
    // The apology has its second of sound by then: it was asked for before.
    await say('Hello.');
    expect(await say('Your order is on its way.')).toEqual({ durationMs: 1000, audible: true });
    const next = await say('It comes tomorrow.');
    expect(next.audible).toBe(false);
    expect(next.durationMs).toBeGreaterThan(0);
    expect(failures.count).toBe(2);
    expect(service.asked.filter((input) => input.startsWith('Your order'))).toHaveLength(2);
  },
);

it('gives at least a tone where the service has never worked', async () => {
  const { say } = setup(() => 'fails');
  const { durationMs, audible } = await say('Hello.');
  expect(audible).toBe(true);
  expect(durationMs).toBeGreaterThan(300);
});
