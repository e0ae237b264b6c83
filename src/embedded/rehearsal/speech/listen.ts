import { createHash, randomUUID } from 'node:crypto';
import type { WebSocket } from 'ws';
import { z } from 'zod';
import type { SpeechLibrary } from './library.ts';
import { type HeardWord, Recogniser, type RecogniserEvent } from './recogniser.ts';

const flag = z
  .enum(['true', 'false'])
  .transform((value) => value === 'true')
  .default(false);

/** The query of `/v1/listen` as far as it changes what this server does; anything else is accepted. */
const querySchema = z.object({
  model: z.string().default('nova-3'),
  encoding: z.literal('linear16', 'only linear16 is understood here').default('linear16'),
  sample_rate: z.coerce.number().int().min(8_000).max(96_000).default(16_000),
  channels: z.coerce.number().int().min(1).max(2).default(1),
  interim_results: flag,
  punctuate: flag,
  smart_format: flag,
  vad_events: flag,
  endpointing: z
    .union([
      z.literal('false').transform(() => null),
      z.literal('true').transform(() => 10),
      z.coerce.number().min(0),
    ])
    .default(10),
  utterance_end_ms: z.coerce.number().min(0).optional(),
});

export type ListenQuery = z.output<typeof querySchema>;

export function parseListenQuery(url: URL) {
  return querySchema.safeParse(Object.fromEntries(url.searchParams));
}

const controlSchema = z.object({ type: z.enum(['KeepAlive', 'Finalize', 'CloseStream']) });

/** Deepgram closes a stream that sends neither sound nor KeepAlive for about this long. */
const IDLE_CLOSE_MS = 12_000;

function transcriptOf(words: readonly HeardWord[], query: ListenQuery) {
  const formatted = query.punctuate || query.smart_format;
  const plain = (text: string) => text.toLowerCase().replace(/^[^\w$'(]+|[^\w%')]+$/g, '');
  return {
    transcript: words.map(({ text }) => (formatted ? text : plain(text))).join(' '),
    words: words.map(({ text, startMs, endMs }) => ({
      word: plain(text),
      start: seconds(startMs),
      end: seconds(endMs),
      confidence: 0.99,
      ...(formatted ? { punctuated_word: text } : {}),
    })),
  };
}

function seconds(ms: number): number {
  return Math.round(ms) / 1000;
}

export function toFloatMono(bytes: Buffer, channels: number): Float32Array {
  const count = Math.floor(bytes.length / 2 / channels);
  const samples = new Float32Array(count);
  for (let i = 0; i < count; i++) samples[i] = bytes.readInt16LE(i * 2 * channels) / 32768;
  return samples;
}

/** Serves one Deepgram live stream until either side closes it. */
export function serveListenStream(socket: WebSocket, query: ListenQuery, library: SpeechLibrary): void {
  const requestId = randomUUID();
  const digest = createHash('sha256');
  const send = (message: object) => {
    if (socket.readyState === socket.OPEN) socket.send(JSON.stringify(message));
  };
  const recogniser = new Recogniser(
    library,
    {
      sampleRate: query.sample_rate,
      endpointingMs: query.endpointing,
      utteranceEndMs: query.utterance_end_ms ?? null,
      interimResults: query.interim_results,
    },
    (event) => {
      const message = messageOf(event, query, requestId);
      if (message !== undefined) send(message);
    },
  );
  const idle = setTimeout(() => socket.close(1011, 'no audio or KeepAlive received'), IDLE_CLOSE_MS);
  idle.unref();
  socket.on('close', () => clearTimeout(idle));
  socket.on('error', () => socket.terminate());
  socket.on('message', (data, isBinary) => {
    idle.refresh();
    const bytes = Buffer.isBuffer(data)
      ? data
      : Array.isArray(data)
        ? Buffer.concat(data)
        : Buffer.from(data);
    if (isBinary) {
      digest.update(bytes);
      recogniser.push(toFloatMono(bytes, query.channels));
      return;
    }
    const control = parseControl(bytes.toString('utf8'));
    if (control === 'Finalize') recogniser.flush();
    if (control === 'CloseStream') {
      recogniser.flush();
      send(metadataOf(requestId, digest.digest('hex'), recogniser.timeMs, query));
      socket.close(1000);
    }
  });
}

function parseControl(text: string): 'KeepAlive' | 'Finalize' | 'CloseStream' | undefined {
  try {
    return controlSchema.safeParse(JSON.parse(text)).data?.type;
  } catch {
    return undefined;
  }
}

function modelInfo(query: ListenQuery) {
  return { name: `rehearsal speech for ${query.model}`, version: 'rehearsal', arch: 'fingerprint' };
}

function messageOf(event: RecogniserEvent, query: ListenQuery, requestId: string): object | undefined {
  if (event.type === 'started') {
    return query.vad_events
      ? { type: 'SpeechStarted', channel: [0], timestamp: seconds(event.atMs) }
      : undefined;
  }
  if (event.type === 'utteranceEnd') {
    return { type: 'UtteranceEnd', channel: [0, 1], last_word_end: seconds(event.lastWordEndMs) };
  }
  const confidence = event.words.length === 0 ? 0 : event.known ? 0.99 : 0.3;
  return {
    type: 'Results',
    channel_index: [0, 1],
    duration: seconds(event.durationMs),
    start: seconds(event.startMs),
    is_final: event.final,
    speech_final: event.speechFinal,
    from_finalize: event.fromFlush,
    channel: { alternatives: [{ ...transcriptOf(event.words, query), confidence }] },
    metadata: {
      request_id: requestId,
      model_info: modelInfo(query),
      model_uuid: '00000000-0000-0000-0000-000000000000',
    },
  };
}

function metadataOf(requestId: string, sha256: string, durationMs: number, query: ListenQuery): object {
  const model = '00000000-0000-0000-0000-000000000000';
  return {
    type: 'Metadata',
    transaction_key: 'deprecated',
    request_id: requestId,
    sha256,
    created: new Date().toISOString(),
    duration: seconds(durationMs),
    channels: query.channels,
    models: [model],
    model_info: { [model]: modelInfo(query) },
  };
}

/** Recognises a whole WAV file, as Deepgram's pre-recorded endpoint does. */
export function recogniseWav(wav: Buffer, query: ListenQuery, library: SpeechLibrary): object {
  const { pcm, sampleRate, channels } = readWav(wav);
  const words: HeardWord[] = [];
  const recogniser = new Recogniser(
    library,
    { sampleRate, endpointingMs: null, utteranceEndMs: null, interimResults: false },
    (event) => {
      if (event.type === 'result' && event.final) words.push(...event.words);
    },
  );
  recogniser.push(toFloatMono(pcm, channels));
  recogniser.push(new Float32Array(sampleRate));
  recogniser.flush();
  const requestId = randomUUID();
  const digest = createHash('sha256').update(wav).digest('hex');
  return {
    metadata: metadataOf(requestId, digest, recogniser.timeMs - 1_000, query),
    results: { channels: [{ alternatives: [{ ...transcriptOf(words, query), confidence: 0.99 }] }] },
  };
}

function readWav(wav: Buffer): { pcm: Buffer; sampleRate: number; channels: number } {
  if (wav.length < 44 || wav.toString('latin1', 0, 4) !== 'RIFF') {
    throw new RangeError('the body is not a WAV file');
  }
  const dataAt = wav.indexOf('data', 12, 'latin1');
  return {
    pcm: wav.subarray(dataAt < 0 ? 44 : dataAt + 8),
    sampleRate: wav.readUInt32LE(24) || 16_000,
    channels: wav.readUInt16LE(22) || 1,
  };
}
