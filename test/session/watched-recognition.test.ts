import { initializeLogger, stt } from '@livekit/agents';
import * as deepgram from '@livekit/agents-plugin-deepgram';
import { AudioFrame } from '@livekit/rtc-node';
import { afterAll, beforeAll, expect, it, onTestFinished } from 'vitest';
import { resampleClip, toFloat, toInt16 } from '../../src/embedded/rehearsal/speech/resample.ts';
import { createLog } from '../../src/log.ts';
import { WatchedRecognition } from '../../src/session/watched-recognition.ts';
import { setupSpeech, type TestSpeech } from '../support/speech.ts';

initializeLogger({ pretty: false, level: 'silent' });

const RATE = 16_000;
let speech: TestSpeech;
beforeAll(async () => {
  speech = await setupSpeech();
});
afterAll(() => speech.stop());

async function clip(text: string): Promise<Int16Array> {
  const response = await fetch(`${speech.openaiBaseUrl}/audio/speech`, {
    method: 'POST',
    body: JSON.stringify({ model: 'tts-1', voice: 'echo', input: text, response_format: 'pcm' }),
  });
  return toInt16(resampleClip(toFloat(new Int16Array(await response.arrayBuffer())), 24_000, RATE));
}

function listen(options: { answerWithinMs?: number } = {}) {
  const plugin = new deepgram.STT({ apiKey: 'any', baseUrl: speech.deepgramBaseUrl, language: 'en' });
  const watched = new WatchedRecognition(plugin, { log: createLog({ level: 'silent' }), ...options });
  const stream = watched.stream();
  onTestFinished(() => stream.close());
  const events: stt.SpeechEvent[] = [];
  void (async () => {
    for await (const event of stream) events.push(event);
  })();
  const finals = () =>
    events
      .filter(({ type }) => type === stt.SpeechEventType.FINAL_TRANSCRIPT)
      .map((event) => event.alternatives?.[0].text ?? '');
  const say = (samples: Int16Array, silenceMs = 600) => {
    const all = new Int16Array(samples.length + (RATE * silenceMs) / 1000);
    all.set(samples);
    for (let at = 0; at + 320 <= all.length; at += 320) {
      stream.pushFrame(new AudioFrame(all.slice(at, at + 320), RATE, 1, 320));
    }
  };
  return { events, finals, say };
}

async function until(condition: () => boolean): Promise<void> {
  await expect.poll(condition, { timeout: 20_000, interval: 20 }).toBe(true);
}

it('passes on what the recogniser says, unchanged', async () => {
  const hello = await clip('Hello there.');
  const { events, finals, say } = listen();
  say(hello);
  await until(() => finals().length === 1);
  expect(finals()).toEqual(['Hello there.']);
  expect(events[0]?.type).toBe(stt.SpeechEventType.START_OF_SPEECH);
});

it('connects again after a lost connection and understands what was said meanwhile', async () => {
  const [hello, question, last] = [
    await clip('Hello there.'),
    await clip('Can you hear me?'),
    await clip('Good.'),
  ];
  const { finals, say } = listen();
  say(hello);
  await until(() => finals().length === 1);
  speech.dropStreams();
  await until(() => speech.streams === 0);
  say(question, 2_500);
  await until(() => finals().length === 2);
  say(last);
  await until(() => finals().length === 3);
  expect(finals()).toEqual(['Hello there.', 'Can you hear me?', 'Good.']);
});

it('begins a speech once although a second stream takes it over in the middle', async () => {
  const story = await clip('I would like to know where my parcel with the blue notebooks is at this moment.');
  const { events, finals, say } = listen();
  const half = Math.floor(story.length / 2);
  say(story.subarray(0, half), 0);
  await until(() => events.some(({ type }) => type === stt.SpeechEventType.INTERIM_TRANSCRIPT));
  speech.dropStreams();
  await until(() => speech.streams === 0);
  say(story.subarray(half), 2_500);
  await until(() => finals().length > 0);
  const starts = events.filter(({ type }) => type === stt.SpeechEventType.START_OF_SPEECH);
  expect(starts).toHaveLength(1);
  expect(finals().join(' ')).toMatch(/at this moment\.$/);
});
