import { initializeLogger, llm, stt, VADEventType } from '@livekit/agents';
import * as deepgram from '@livekit/agents-plugin-deepgram';
import * as openai from '@livekit/agents-plugin-openai';
import * as silero from '@livekit/agents-plugin-silero';
import { AudioFrame } from '@livekit/rtc-node';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type RehearsalServer, startRehearsal } from '../../src/embedded/rehearsal/server.ts';
import { resampleClip, toFloat, toInt16 } from '../../src/embedded/rehearsal/speech/resample.ts';

initializeLogger({ pretty: false, level: 'silent' });

const KEY = 'rehearsal-key';
let server: RehearsalServer;

beforeAll(async () => {
  server = await startRehearsal({ key: KEY });
});
afterAll(() => server.stop());

function findOrder(): llm.FunctionTool {
  return llm.tool({
    name: 'find_order',
    description: 'Looks an order up.',
    parameters: {
      type: 'object',
      properties: { order_number: { type: 'string' } },
      required: ['order_number'],
    },
    execute: async () => '',
  });
}

function chatModel(apiKey = KEY): openai.LLM {
  return new openai.LLM({ model: 'gpt-4.1', apiKey, baseURL: server.openaiBaseUrl });
}

async function ask(said: string, tools: llm.FunctionTool[] = []) {
  const chatCtx = new llm.ChatContext();
  chatCtx.addMessage({ role: 'system', content: 'You answer for a shop.' });
  chatCtx.addMessage({ role: 'user', content: said });
  const result = { text: '', pieces: 0, calls: [] as llm.FunctionCall[], tokens: 0 };
  const toolCtx = tools.length > 0 ? { toolCtx: new llm.ToolContext(tools) } : {};
  for await (const chunk of chatModel().chat({ chatCtx, ...toolCtx })) {
    if (chunk.delta?.content) result.pieces += 1;
    result.text += chunk.delta?.content ?? '';
    result.calls.push(...(chunk.delta?.toolCalls ?? []));
    result.tokens += chunk.usage?.totalTokens ?? 0;
  }
  return result;
}

async function speak(text: string, voice: openai.TTSVoices = 'echo', speed = 1): Promise<Int16Array> {
  const tts = new openai.TTS({ model: 'tts-1', voice, speed, apiKey: KEY, baseURL: server.openaiBaseUrl });
  const frames: AudioFrame[] = [];
  for await (const audio of tts.synthesize(text)) {
    if (typeof audio === 'object') frames.push(audio.frame);
  }
  const samples = new Int16Array(frames.reduce((sum, frame) => sum + frame.samplesPerChannel, 0));
  let offset = 0;
  for (const frame of frames) {
    samples.set(frame.data, offset);
    offset += frame.samplesPerChannel;
  }
  return samples;
}

const SILENCE_SECONDS = 0.8;

/** Pushes sound into the real plugin in pieces of 20 ms, faster than it would be spoken. */
async function listen(speech: Int16Array, options: Partial<deepgram.STTOptions> = {}) {
  const plugin = new deepgram.STT({
    apiKey: KEY,
    baseUrl: server.deepgramBaseUrl,
    language: 'en',
    ...options,
  });
  const stream = plugin.stream();
  const sound = toInt16(resampleClip(toFloat(speech), 24_000, 16_000));
  const all = new Int16Array(sound.length + SILENCE_SECONDS * 2 * 16_000);
  all.set(sound, SILENCE_SECONDS * 16_000);
  for (let at = 0; at + 320 <= all.length; at += 320) {
    stream.pushFrame(new AudioFrame(all.slice(at, at + 320), 16_000, 1, 320));
  }
  const events: stt.SpeechEvent[] = [];
  const collect = (async () => {
    for await (const event of stream) {
      events.push(event);
      const done = events.filter(({ type }) => type === stt.SpeechEventType.END_OF_SPEECH).length;
      const words = finals(events).split(' ').length;
      if (done > 0 && words >= (options.keyterm?.length ?? 0)) return;
    }
  })();
  return { events, collect, stream };
}

function finals(events: readonly stt.SpeechEvent[]): string {
  return events
    .filter(({ type }) => type === stt.SpeechEventType.FINAL_TRANSCRIPT)
    .map((event) => event.alternatives?.[0].text ?? '')
    .join(' ');
}

describe('the model through the OpenAI plugin', () => {
  it('streams words in pieces, says that it is a rehearsal, and reports usage', async () => {
    const reply = await ask('Hello');
    expect(reply.text).toMatch(/^\(Rehearsal model/);
    expect(reply.pieces).toBeGreaterThan(5);
    expect(reply.tokens).toBeGreaterThan(10);
    expect(reply.calls).toEqual([]);
  });

  it('streams a tool call whose arguments come in pieces', async () => {
    const reply = await ask('Where is order 1042?', [findOrder()]);
    expect(reply.calls).toHaveLength(0);
    const refund = await ask('I want a refund for order 1042', [findOrder()]);
    expect(refund.calls.map(({ name, args }) => [name, JSON.parse(args)])).toEqual([
      ['find_order', { order_number: '1042' }],
    ]);
    expect(refund.calls[0]?.callId).toMatch(/^call_/);
  });

  it('refuses a wrong key as the real service does', async () => {
    const chatCtx = new llm.ChatContext();
    chatCtx.addMessage({ role: 'user', content: 'Hello' });
    const model = chatModel('wrong');
    const failed = new Promise<unknown>((resolve) => model.once('error', ({ error }) => resolve(error)));
    const connOptions = { maxRetry: 0, retryIntervalMs: 0, timeoutMs: 5_000 };
    const stream = model.chat({ chatCtx, connOptions });
    await expect(failed).resolves.toMatchObject({ statusCode: 401 });
    stream.close();
  });
});

describe('speech through the OpenAI and Deepgram plugins', () => {
  it('says a sentence well below real time, without silence around it, and again at once', async () => {
    await speak('Warm up.');
    const text = 'Your refund has been approved and is on its way.';
    const began = performance.now();
    const sound = await speak(text);
    const seconds = sound.length / 24_000;
    expect(seconds).toBeGreaterThan(1.5);
    expect(seconds).toBeLessThan(6);
    expect(performance.now() - began).toBeLessThan(seconds * 1000);
    expect(Math.max(...sound.subarray(0, 24_000 * 0.1).map(Math.abs))).toBeGreaterThan(200);
    expect(await speak(text)).toEqual(sound);
    expect((await speak(text, 'echo', 2)).length).toBeLessThan(sound.length * 0.7);
    expect(await speak(text, 'coral')).not.toEqual(sound);
  });

  it('sounds like speech to the voice activity model', async () => {
    const vad = await silero.VAD.load();
    const stream = vad.stream();
    const sound = toInt16(
      resampleClip(toFloat(await speak('I would like to know where my parcel is.')), 24_000, 16_000),
    );
    const all = new Int16Array(sound.length + 32_000);
    all.set(sound, 8_000);
    for (let at = 0; at + 160 <= all.length; at += 160) {
      stream.pushFrame(new AudioFrame(all.slice(at, at + 160), 16_000, 1, 160));
    }
    const kinds = [];
    let spokenMs = 0;
    for await (const event of stream) {
      if (event.type !== VADEventType.INFERENCE_DONE) kinds.push(event.type);
      spokenMs = Math.max(spokenMs, event.speechDuration);
      if (event.type === VADEventType.END_OF_SPEECH) break;
    }
    expect(kinds).toEqual([VADEventType.START_OF_SPEECH, VADEventType.END_OF_SPEECH]);
    expect(spokenMs).toBeGreaterThan(1_000);
  });

  it('recognises an utterance: interim results grow, the final one has words with times', async () => {
    const { events, collect, stream } = await listen(await speak('I would like a refund for order 1042.'));
    await collect;
    stream.close();
    expect(events[0]?.type).toBe(stt.SpeechEventType.START_OF_SPEECH);
    expect(finals(events)).toBe('I would like a refund for order 1042.');
    const interims = events
      .filter(({ type }) => type === stt.SpeechEventType.INTERIM_TRANSCRIPT)
      .map((event) => event.alternatives?.[0].text.split(' ').length ?? 0);
    expect(interims.length).toBeGreaterThan(3);
    expect(interims).toEqual(interims.toSorted((a, b) => a - b));
    const words =
      events.find(({ type }) => type === stt.SpeechEventType.FINAL_TRANSCRIPT)?.alternatives?.[0].words ?? [];
    expect(words.map(({ text }) => text).join(' ')).toBe('I would like a refund for order 1042.');
    expect(words[0]?.startTime).toBeGreaterThan(SILENCE_SECONDS - 0.15);
    expect(words.at(-1)?.endTime).toBeGreaterThan(words[0]?.startTime ?? 0);
  });

  it('ends a turn at each pause by default, and only after the endpointing setting when that is longer', async () => {
    const text = 'Hello there, I have a question. Where is my parcel?';
    const short = await listen(await speak(text), { endpointing: 25 });
    await short.collect;
    short.stream.close();
    expect(finals(short.events)).toBe('Hello there,');
    const long = await listen(await speak(text), { endpointing: 600 });
    await long.collect;
    long.stream.close();
    expect(finals(long.events)).toBe(text);
  });

  it('says so when it hears what it did not say itself', async () => {
    const noise = new Int16Array(36_000).map((_, i) =>
      Math.round(9_000 * Math.sin(i / 9) * Math.sin(i / 2_000) + 4_000 * Math.sin(i / 3.3)),
    );
    const { events, collect, stream } = await listen(noise);
    await collect;
    stream.close();
    expect(finals(events)).toBe('(speech not recognised by the rehearsal server)');
  });

  it('keeps several streams apart', async () => {
    const texts = ['Yes please.', 'No thanks.', 'I want to talk to a person.', 'Yes.'];
    const heard = await Promise.all(
      texts.map(async (text) => {
        const { events, collect, stream } = await listen(await speak(text));
        await collect;
        stream.close();
        return finals(events);
      }),
    );
    expect(heard).toEqual(texts);
  });

  it('recognises a recording by the pre-recorded endpoint', async () => {
    const plugin = new deepgram.STT({ apiKey: KEY, baseUrl: server.deepgramBaseUrl, language: 'en' });
    const sound = await speak('Please cancel order 1043.');
    const event = await plugin.recognize(new AudioFrame(sound, 24_000, 1, sound.length));
    expect(event.alternatives?.[0].text).toBe('Please cancel order 1043.');
  });

  it('refuses a stream with a wrong key', async () => {
    const refused = await fetch(`${server.url}/v1/models`, { headers: { authorization: 'Bearer wrong' } });
    expect(refused.status).toBe(401);
    const socket = new WebSocket(`${server.deepgramBaseUrl}/v1/listen`);
    await expect(
      new Promise((resolve, reject) => {
        socket.onopen = resolve;
        socket.onerror = reject;
      }),
    ).rejects.toBeDefined();
  });
});
