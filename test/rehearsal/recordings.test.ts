import { expect, it, onTestFinished } from 'vitest';
import { z } from 'zod';
import { startRehearsal } from '../../src/embedded/rehearsal/server.ts';
import { COUGH } from '../support/cough.ts';

const heardSchema = z.object({
  results: z.object({
    channels: z.array(z.object({ alternatives: z.array(z.object({ transcript: z.string() })) })),
  }),
});

/** A hum whose pitch rises; what it says is what its owner says it does. */
const HUM = {
  input: '(a recording)',
  voice: 'somebody',
  words: 'Go somewhere and do something.',
  samples: Int16Array.from({ length: 24_000 }, (_, nth) => {
    const seconds = nth / 24_000;
    return Math.round(9_000 * Math.sin(2 * Math.PI * (200 * seconds + 300 * seconds ** 2)));
  }),
};

async function setup() {
  const server = await startRehearsal({ recordings: [COUGH, HUM] });
  onTestFinished(() => server.stop());
  const speak = async (input: string, voice: string): Promise<ArrayBuffer> => {
    const body = JSON.stringify({ model: 'tts-1', input, voice, response_format: 'wav' });
    const headers = { 'content-type': 'application/json' };
    const answer = await fetch(`${server.openaiBaseUrl}/audio/speech`, { method: 'POST', headers, body });
    return answer.arrayBuffer();
  };
  const recognise = async (wav: ArrayBuffer): Promise<string | undefined> => {
    const headers = { 'content-type': 'audio/wav' };
    const url = `${server.url}/v1/listen?punctuate=true`;
    const answer = await fetch(url, { method: 'POST', headers, body: wav });
    return heardSchema.parse(await answer.json()).results.channels[0]?.alternatives[0]?.transcript;
  };
  return { speak, recognise };
}

it('a recording is handed out to whoever asks for it in its voice, and its words are known', async () => {
  const { speak, recognise } = await setup();
  const sound = await speak(HUM.input, 'somebody');
  expect(new Int16Array(sound.slice(44))).toEqual(HUM.samples);
  expect(await recognise(sound)).toBe(HUM.words);
  expect((await speak(HUM.input, 'echo')).byteLength).not.toBe(sound.byteLength);
});

it('a cough can be had in any voice, and has no words', async () => {
  const { speak, recognise } = await setup();
  const sound = await speak(COUGH.input, 'echo');
  expect(new Int16Array(sound.slice(44))).toEqual(COUGH.samples);
  expect(await recognise(sound)).toBe('');
});
