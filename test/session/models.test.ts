import { initializeLogger } from '@livekit/agents';
import { expect, it } from 'vitest';
import { createLog } from '../../src/log.ts';
import { createSpeech, readSettings } from '../../src/session/models.ts';
import { setupSpeech } from '../support/speech.ts';

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

it('the agent’s voice, model, speed and language are what the speech services are asked for', async () => {
  const speech = await setupSpeech();
  const asked: Record<string, unknown>[] = [];
  const { stt, tts } = createSpeech(
    {
      openaiApiKey: 'test',
      openaiBaseUrl: speech.openaiBaseUrl,
      deepgramApiKey: 'test',
      deepgramBaseUrl: speech.deepgramBaseUrl,
    },
    { stt_model: 'nova-2', tts_model: 'tts-1-hd', voice: 'onyx', speed: 1.25 },
    'pt',
    createLog({ level: 'silent' }),
  );
  const original = globalThis.fetch;
  globalThis.fetch = async (input, init) => {
    if (typeof init?.body === 'string') asked.push(JSON.parse(init.body));
    return original(input, init);
  };
  try {
    for await (const _frame of tts.synthesize('Bom dia.')) break;
  } finally {
    globalThis.fetch = original;
    await tts.close();
    await stt.close();
    await speech.stop();
  }
  expect(asked[0]).toMatchObject({ model: 'tts-1-hd', voice: 'onyx', speed: 1.25, input: 'Bom dia.' });
  expect(stt.model).toBe('nova-2');
});
