import { once } from 'node:events';
import { createServer } from 'node:http';
import { afterEach, describe, expect, test } from 'vitest';
import { chooseModels } from '../../src/cli/demo/models.ts';

const REHEARSAL = {
  openaiBaseUrl: 'http://127.0.0.1:1/v1',
  deepgramBaseUrl: 'ws://127.0.0.1:1',
  key: 'rehearsal-key',
};

const stops: (() => void)[] = [];
afterEach(() => {
  for (const stop of stops.splice(0)) stop();
});

/** A server of the OpenAI kind, with or without a voice. */
async function startServer(speaks: boolean): Promise<string> {
  const server = createServer((request, response) => {
    if (speaks && request.url === '/v1/audio/speech') response.end(Buffer.alloc(480));
    else response.writeHead(404).end();
  }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  stops.push(() => server.close().closeAllConnections());
  const address = server.address();
  return `http://127.0.0.1:${address !== null && typeof address === 'object' ? address.port : 0}/v1`;
}

describe('the models of a demo', () => {
  test('are the rehearsal servers, and called so, when nothing is set', async () => {
    const { settings, words } = await chooseModels({}, REHEARSAL);
    expect(settings).toEqual({
      OPENAI_API_KEY: 'rehearsal-key',
      OPENAI_BASE_URL: REHEARSAL.openaiBaseUrl,
      OPENAI_TTS_API_KEY: 'rehearsal-key',
      OPENAI_TTS_BASE_URL: REHEARSAL.openaiBaseUrl,
      DEEPGRAM_API_KEY: 'rehearsal-key',
      DEEPGRAM_BASE_URL: REHEARSAL.deepgramBaseUrl,
      FLOORWALKER_REHEARSAL: '1',
    });
    for (const word of Object.values(words)) expect(word).toContain('no AI');
  });

  test('a language model without a voice replaces the rehearsal model alone', async () => {
    const url = await startServer(false);
    const { settings, words } = await chooseModels({ OPENAI_BASE_URL: url }, REHEARSAL);
    expect(settings).toMatchObject({
      OPENAI_API_KEY: 'none',
      OPENAI_BASE_URL: url,
      OPENAI_TTS_API_KEY: 'rehearsal-key',
      OPENAI_TTS_BASE_URL: REHEARSAL.openaiBaseUrl,
      DEEPGRAM_BASE_URL: REHEARSAL.deepgramBaseUrl,
    });
    expect(words.llm).toBe(url);
    expect(words.tts).toContain('no AI');
  });

  test('one with a voice replaces the rehearsed voice too', async () => {
    const url = await startServer(true);
    const { settings } = await chooseModels({ OPENAI_BASE_URL: url, OPENAI_API_KEY: 'mine' }, REHEARSAL);
    expect(settings).toMatchObject({ OPENAI_TTS_API_KEY: 'mine', OPENAI_TTS_BASE_URL: url });
  });

  test('a Deepgram key replaces speech recognition alone', async () => {
    const { settings, words } = await chooseModels({ DEEPGRAM_API_KEY: 'mine' }, REHEARSAL);
    expect(settings.DEEPGRAM_API_KEY).toBe('mine');
    expect(settings.DEEPGRAM_BASE_URL).toBeUndefined();
    expect(settings.OPENAI_BASE_URL).toBe(REHEARSAL.openaiBaseUrl);
    expect(words.stt).toBe('Deepgram');
  });

  test('pages say nothing of a rehearsal when nothing is rehearsed', async () => {
    const url = await startServer(true);
    const { settings } = await chooseModels({ OPENAI_BASE_URL: url, DEEPGRAM_API_KEY: 'mine' }, REHEARSAL);
    expect(settings.FLOORWALKER_REHEARSAL).toBe('0');
  });
});
