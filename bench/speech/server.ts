import { readFile } from 'node:fs/promises';
import { parseArgs } from 'node:util';
import { z } from 'zod';
import { startRehearsal } from '../../src/embedded/rehearsal/server.ts';
import type { Recording } from '../../src/embedded/rehearsal/speech/library.ts';

/**
 * The rehearsal's speech servers as a process of their own, with sounds that they know besides those of their own voices:
 * `node server.ts --recordings FILE --speech-ms N`. Prints one line of JSON when it is ready, and ends with whoever has started it.
 */
const { values } = parseArgs({
  options: { recordings: { type: 'string' }, 'speech-ms': { type: 'string', default: '0' } },
});
const fileSchema = z.array(z.object({ input: z.string(), words: z.string(), pcm: z.base64() }));

async function readRecordings(file: string): Promise<Recording[]> {
  const listed = fileSchema.parse(JSON.parse(await readFile(file, 'utf8')));
  return listed.map(({ input, words, pcm }) => {
    const bytes = Buffer.from(pcm, 'base64');
    const samples = Int16Array.from({ length: bytes.length / 2 }, (_, nth) => bytes.readInt16LE(nth * 2));
    return { input, words, samples };
  });
}

const recordings = values.recordings === undefined ? [] : await readRecordings(values.recordings);
const server = await startRehearsal({ recordings, speechMs: Number(values['speech-ms']) });
const stop = (): void => {
  void server.stop().finally(() => process.exit(0));
};
process.on('SIGTERM', stop).on('SIGINT', stop);
if (process.send) process.on('disconnect', stop);
const { url, openaiBaseUrl, deepgramBaseUrl } = server;
process.stdout.write(
  `${JSON.stringify({ url, openai_base_url: openaiBaseUrl, deepgram_base_url: deepgramBaseUrl })}\n`,
);
