import { writeFile } from 'node:fs/promises';

const RATE = 24_000;

/** Words in a voice of the speech server, 24,000 samples a second. */
export async function speak(openaiBaseUrl: string, text: string, voice: string): Promise<Int16Array> {
  const response = await fetch(`${openaiBaseUrl}/audio/speech`, {
    method: 'POST',
    headers: { 'content-type': 'application/json', authorization: 'Bearer rehearsal' },
    body: JSON.stringify({ model: 'tts-1', input: text, voice, response_format: 'pcm' }),
  });
  if (!response.ok) throw new Error(`no voice: ${response.status}`);
  return new Int16Array(await response.arrayBuffer());
}

export function silence(seconds: number): Int16Array {
  return new Int16Array(Math.round(seconds * RATE));
}

/** The parts one after the other, as a WAV file that a browser can take for a microphone. */
export async function record(path: string, parts: readonly Int16Array[]): Promise<void> {
  const length = parts.reduce((sum, part) => sum + part.byteLength, 0);
  const head = Buffer.alloc(44);
  head.write('RIFF', 0);
  head.writeUInt32LE(36 + length, 4);
  head.write('WAVEfmt ', 8);
  head.writeUInt32LE(16, 16);
  head.writeUInt16LE(1, 20);
  head.writeUInt16LE(1, 22);
  head.writeUInt32LE(RATE, 24);
  head.writeUInt32LE(RATE * 2, 28);
  head.writeUInt16LE(2, 32);
  head.writeUInt16LE(16, 34);
  head.write('data', 36);
  head.writeUInt32LE(length, 40);
  const bodies = parts.map((part) => Buffer.from(part.buffer, part.byteOffset, part.byteLength));
  await writeFile(path, Buffer.concat([head, ...bodies]));
}

/** Loudness in decibel, one figure for each 50 ms. */
export function envelope(samples: Int16Array): number[] {
  const step = RATE / 20;
  return Array.from({ length: Math.floor(samples.length / step) }, (_, index) => {
    let energy = 0;
    for (const sample of samples.subarray(index * step, (index + 1) * step)) energy += (sample / 32_768) ** 2;
    return 10 * Math.log10(energy / step + 1e-8);
  });
}

/**
 * How much `heard` sounds like `said` at the shift at which it does most: 1 is the same rise and fall of loudness,
 * 0 has nothing to do with it. `said` repeats itself, as a recording does that plays again and again.
 */
export function likeness(heard: readonly number[], said: readonly number[]): number {
  let best = 0;
  for (let shift = 0; shift < said.length; shift += 1) {
    const other = heard.map((_, index) => said[(index + shift) % said.length] ?? 0);
    best = Math.max(best, correlation(heard, other));
  }
  return best;
}

function correlation(a: readonly number[], b: readonly number[]): number {
  const mean = (values: readonly number[]) => values.reduce((sum, value) => sum + value, 0) / values.length;
  const [meanA, meanB] = [mean(a), mean(b)];
  let [both, squareA, squareB] = [0, 0, 0];
  for (const [index, value] of a.entries()) {
    const [offA, offB] = [value - meanA, (b[index] ?? 0) - meanB];
    both += offA * offB;
    squareA += offA ** 2;
    squareB += offB ** 2;
  }
  return both / Math.sqrt(squareA * squareB + 1e-9);
}
