/** All fingerprints are made at this rate, whatever the rate of the sound. */
export const FEATURE_RATE = 16_000;
const FFT_SIZE = 512;
const WINDOW = 400;
const BANDS = 20;
// Telephone bandwidth: what survives any codec that a call may pass through.
const LOWEST_HZ = 150;
const HIGHEST_HZ = 3_800;

/** One short stretch of sound: how loud it is, and the shape of its spectrum whatever the gain. */
export interface Frame {
  readonly levelDb: number;
  /** Band levels in dB relative to their mean. */
  readonly shape: Float32Array;
}

const hann = Float32Array.from(
  { length: WINDOW },
  (_, i) => 0.5 - 0.5 * Math.cos((2 * Math.PI * i) / WINDOW),
);
const cosines = Float32Array.from({ length: FFT_SIZE / 2 }, (_, i) => Math.cos((2 * Math.PI * i) / FFT_SIZE));
const sines = Float32Array.from({ length: FFT_SIZE / 2 }, (_, i) => Math.sin((2 * Math.PI * i) / FFT_SIZE));
const filters = melFilters();

function melFilters(): { first: number; weights: Float32Array }[] {
  const mel = (hz: number) => 2595 * Math.log10(1 + hz / 700);
  const hertz = (value: number) => 700 * (10 ** (value / 2595) - 1);
  const edges = Array.from({ length: BANDS + 2 }, (_, i) =>
    hertz(mel(LOWEST_HZ) + ((mel(HIGHEST_HZ) - mel(LOWEST_HZ)) * i) / (BANDS + 1)),
  );
  const binHz = FEATURE_RATE / FFT_SIZE;
  return Array.from({ length: BANDS }, (_, band) => {
    const [low = 0, centre = 0, high = 0] = edges.slice(band, band + 3);
    const first = Math.floor(low / binHz) + 1;
    const last = Math.max(first, Math.ceil(high / binHz) - 1);
    const weights = Float32Array.from({ length: last - first + 1 }, (_unused, i) => {
      const hz = (first + i) * binHz;
      return Math.max(0.01, hz < centre ? (hz - low) / (centre - low) : (high - hz) / (high - centre));
    });
    return { first, weights };
  });
}

/** In-place radix-2 transform of FFT_SIZE complex values. */
function transform(real: Float32Array, imaginary: Float32Array): void {
  for (let i = 1, j = 0; i < FFT_SIZE; i++) {
    let bit = FFT_SIZE >> 1;
    for (; j & bit; bit >>= 1) j ^= bit;
    j ^= bit;
    if (i < j) {
      const r = real[i] ?? 0;
      real[i] = real[j] ?? 0;
      real[j] = r;
    }
  }
  for (let size = 2; size <= FFT_SIZE; size <<= 1) {
    const half = size >> 1;
    const step = FFT_SIZE / size;
    for (let start = 0; start < FFT_SIZE; start += size) {
      for (let k = 0; k < half; k++) {
        const a = start + k;
        const b = a + half;
        const wr = cosines[k * step] ?? 0;
        const wi = -(sines[k * step] ?? 0);
        const br = real[b] ?? 0;
        const bi = imaginary[b] ?? 0;
        const tr = br * wr - bi * wi;
        const ti = br * wi + bi * wr;
        const ar = real[a] ?? 0;
        const ai = imaginary[a] ?? 0;
        real[b] = ar - tr;
        imaginary[b] = ai - ti;
        real[a] = ar + tr;
        imaginary[a] = ai + ti;
      }
    }
  }
}

function analyse(samples: Float32Array, offset: number): Frame {
  const real = new Float32Array(FFT_SIZE);
  const imaginary = new Float32Array(FFT_SIZE);
  for (let i = 0; i < WINDOW; i++) real[i] = (samples[offset + i] ?? 0) * (hann[i] ?? 0);
  transform(real, imaginary);
  const shape = new Float32Array(BANDS);
  let mean = 0;
  let total = 0;
  for (const [band, { first, weights }] of filters.entries()) {
    let energy = 0;
    for (const [i, weight] of weights.entries()) {
      const r = real[first + i] ?? 0;
      const m = imaginary[first + i] ?? 0;
      energy += weight * (r * r + m * m);
    }
    total += energy;
    const level = 10 * Math.log10(energy + 1e-5);
    shape[band] = level;
    mean += level / BANDS;
  }
  for (let band = 0; band < BANDS; band++) shape[band] = (shape[band] ?? 0) - mean;
  // Scaled so that a full-scale sine is near 0 dB.
  return { levelDb: 10 * Math.log10(total / 1e4 + 1e-10), shape };
}

/** Cuts a stream at {@link FEATURE_RATE} into frames, one for each hop. */
export function createFramer(hopMs: number): (block: Float32Array) => Frame[] {
  const hop = (FEATURE_RATE * hopMs) / 1000;
  let pending = new Float32Array();
  return (block) => {
    const input = new Float32Array(pending.length + block.length);
    input.set(pending);
    input.set(block, pending.length);
    const frames: Frame[] = [];
    let offset = 0;
    for (; offset + WINDOW <= input.length; offset += hop) frames.push(analyse(input, offset));
    pending = input.slice(offset);
    return frames;
  };
}
