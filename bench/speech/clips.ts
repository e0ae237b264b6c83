/** Reading and cutting of recorded sound: 16-bit mono, with a header or without. */

/** Quieter than this part of the loudest sample is no speech. */
const AUDIBLE = 0.02;
const MARGIN_MS = 20;

export interface Clip {
  readonly samples: Float32Array;
  readonly rate: number;
}

/** @param rawRate of a file without a header. */
export function readClip(file: Buffer, rawRate = 16_000): Clip {
  const isWav = file.toString('latin1', 0, 4) === 'RIFF';
  const from = isWav ? file.indexOf('data', 12, 'latin1') + 8 : 0;
  const samples = new Float32Array(Math.floor((file.length - from) / 2));
  for (let i = 0; i < samples.length; i += 1) samples[i] = file.readInt16LE(from + i * 2) / 32_768;
  return { samples, rate: isWav ? file.readUInt32LE(24) : rawRate };
}

export function part({ samples, rate }: Clip, fromMs: number, toMs: number): Clip {
  const at = (ms: number) => Math.round((ms * rate) / 1_000);
  return { samples: samples.slice(at(fromMs), at(toMs)), rate };
}

/** Without the silence around it, but for a little: its end is the end of speech. */
export function trimmed({ samples, rate }: Clip): Clip {
  const peak = samples.reduce((most, sample) => Math.max(most, Math.abs(sample)), 0);
  const isAudible = (sample: number) => Math.abs(sample) > peak * AUDIBLE;
  const margin = Math.round((rate * MARGIN_MS) / 1_000);
  const first = Math.max(0, samples.findIndex(isAudible) - margin);
  return { samples: samples.slice(first, samples.findLastIndex(isAudible) + margin), rate };
}
