import type { ServerResponse } from 'node:http';
import { z } from 'zod';
import { sendOpenAiError } from '../openai-error.ts';
import { SPEECH_RATE, type SpeechLibrary } from './library.ts';

const requestSchema = z.object({
  model: z.string(),
  input: z.string().min(1).max(4096),
  voice: z.string(),
  response_format: z.enum(['mp3', 'opus', 'aac', 'flac', 'wav', 'pcm']).default('mp3'),
  speed: z.number().min(0.25).max(4).default(1),
});

/** `POST /v1/audio/speech`: pcm (24 kHz, 16 bit, mono, as OpenAI's) and the same as wav. */
export async function serveSpeech(
  body: unknown,
  response: ServerResponse,
  library: SpeechLibrary,
): Promise<void> {
  const parsed = requestSchema.safeParse(body);
  if (!parsed.success) return sendOpenAiError(response, 400, z.prettifyError(parsed.error));
  const { input, voice, speed, response_format: format } = parsed.data;
  if (format !== 'pcm' && format !== 'wav') {
    return sendOpenAiError(response, 400, `the rehearsal server speaks pcm and wav, not ${format}`);
  }
  const samples = await library.say(input, { voice, speed });
  const pcm = Buffer.from(samples.buffer, samples.byteOffset, samples.byteLength);
  response.writeHead(200, { 'content-type': format === 'pcm' ? 'audio/pcm' : 'audio/wav' });
  response.end(format === 'pcm' ? pcm : Buffer.concat([wavHeader(pcm.length), pcm]));
}

function wavHeader(dataBytes: number): Buffer {
  const header = Buffer.alloc(44);
  header.write('RIFF', 0, 'latin1');
  header.writeUInt32LE(36 + dataBytes, 4);
  header.write('WAVEfmt ', 8, 'latin1');
  header.writeUInt32LE(16, 16);
  header.writeUInt16LE(1, 20);
  header.writeUInt16LE(1, 22);
  header.writeUInt32LE(SPEECH_RATE, 24);
  header.writeUInt32LE(SPEECH_RATE * 2, 28);
  header.writeUInt16LE(2, 32);
  header.writeUInt16LE(16, 34);
  header.write('data', 36, 'latin1');
  header.writeUInt32LE(dataBytes, 40);
  return header;
}
