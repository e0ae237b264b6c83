import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { text } from 'node:stream/consumers';
import { initializeLogger } from '@livekit/agents';
import { expect, it, onTestFinished } from 'vitest';
import { z } from 'zod';
import { createLog } from '../../src/log.ts';
import { systemClock } from '../../src/session/clock.ts';
import { createSpeech } from '../../src/session/models.ts';
import { readSettings } from '../../src/session/settings.ts';

initializeLogger({ pretty: false, level: 'silent' });

it('an agent without settings speaks and listens with the defaults', () => {
  const problems: string[] = [];
  const settings = readSettings({ model_settings: null, voice_settings: {} }, (column) =>
    problems.push(column),
  );
  expect(settings.model.llm_model).toBe('gpt-4.1');
  expect(settings.voice).toMatchObject({ stt_model: 'nova-3', voice: 'alloy', speed: 1 });
  expect(problems).toEqual([]);
});

it('a column that can not be read is reported and falls back; the other one counts', () => {
  const problems: string[] = [];
  const settings = readSettings(
    { model_settings: { llm_model: 'gpt-5', temperature: 9 }, voice_settings: { speed: 1.4 } },
    (column, problem) => problems.push(`${column}: ${problem}`),
  );
  expect(settings.model).toEqual({ llm_model: 'gpt-4.1' });
  expect(settings.voice.speed).toBe(1.4);
  expect(problems).toHaveLength(1);
  expect(problems[0]).toMatch(/^model_settings: [\s\S]*temperature/);
});

const APOLOGY = 'Desculpe.';

/** Notes what it is asked for; gives a little silence for speech and takes no recognition connection. */
async function setupServices() {
  const speech = Promise.withResolvers<Record<string, unknown>>();
  const listen = Promise.withResolvers<URL>();
  const apology = Promise.withResolvers<void>();
  const server = createServer(async (request, response) => {
    const asked = z.record(z.string(), z.unknown()).parse(JSON.parse(await text(request)));
    speech.resolve(asked);
    response.end(Buffer.alloc(4_800), () => asked.input === APOLOGY && apology.resolve());
  });
  server.on('upgrade', (request, socket) => {
    listen.resolve(new URL(request.url ?? '/', 'ws://local'));
    socket.destroy();
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  onTestFinished(() => {
    server.closeAllConnections();
    server.close();
  });
  const { port } = server.address() as AddressInfo;
  return {
    url: `http://127.0.0.1:${port}`,
    speech: speech.promise,
    listen: listen.promise,
    apology: apology.promise,
  };
}

it('the agent’s voice, models, speed and language are what the speech services are asked for', async () => {
  const services = await setupServices();
  const { stt, tts } = await createSpeech(
    {
      openaiApiKey: 'test',
      openaiBaseUrl: `${services.url}/v1`,
      deepgramApiKey: 'test',
      deepgramBaseUrl: `${services.url}/v1/listen`,
    },
    { stt_model: 'nova-2', tts_model: 'tts-1-hd', voice: 'onyx', speed: 1.25 },
    'pt',
    { apology: APOLOGY, clock: systemClock, log: createLog({ level: 'silent' }) },
    undefined,
  );
  const spoken = tts.synthesize('Bom dia.');
  const heard = stt.stream();
  onTestFinished(() => {
    spoken.close();
    heard.close();
  });
  expect(await services.speech).toMatchObject({
    model: 'tts-1-hd',
    voice: 'onyx',
    speed: 1.25,
    input: 'Bom dia.',
  });
  // Made ahead of time, while the service works.
  await services.apology;
  const { searchParams } = await services.listen;
  expect(searchParams.get('model')).toBe('nova-2');
  expect(searchParams.get('language')).toBe('pt');
});
