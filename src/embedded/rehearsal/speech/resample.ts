/** Half the filter's length in samples of the slower rate; enough for speech that a machine compares. */
const HALF_WIDTH = 10;

function greatestCommonDivisor(a: number, b: number): number {
  return b === 0 ? a : greatestCommonDivisor(b, a % b);
}

/**
 * Changes the sample rate of a stream by a windowed-sinc filter, one kernel for each phase of the ratio.
 * Call it with consecutive blocks; what it still needs from a block it keeps.
 */
export function createResampler(fromRate: number, toRate: number): (block: Float32Array) => Float32Array {
  if (fromRate === toRate) return (block) => block;
  const divisor = greatestCommonDivisor(fromRate, toRate);
  const up = toRate / divisor;
  const down = fromRate / divisor;
  const cutoff = Math.min(1, toRate / fromRate);
  const half = Math.ceil(HALF_WIDTH / cutoff);
  const kernels: Float32Array[] = [];
  for (let phase = 0; phase < up; phase++) kernels.push(kernel(phase / up, half, cutoff));

  let history: Float32Array = new Float32Array(half * 2);
  let position = 0; // Of the next output, in 1/up input samples from the start of `history` + half.
  return (block) => {
    const input = new Float32Array(history.length + block.length);
    input.set(history);
    input.set(block, history.length);
    const output: number[] = [];
    for (;;) {
      const whole = Math.floor(position / up);
      if (whole + half * 2 > input.length) break;
      const taps = kernels[position % up] ?? new Float32Array();
      let sum = 0;
      for (let k = 0; k < taps.length; k++) sum += (taps[k] ?? 0) * (input[whole + k] ?? 0);
      output.push(sum);
      position += down;
    }
    const consumed = Math.min(Math.floor(position / up), input.length);
    history = input.slice(consumed);
    position -= consumed * up;
    return Float32Array.from(output);
  };
}

function kernel(fraction: number, half: number, cutoff: number): Float32Array {
  const taps = new Float32Array(half * 2);
  let total = 0;
  for (let k = 0; k < taps.length; k++) {
    const x = k - half + 1 - fraction;
    const sinc = x === 0 ? 1 : Math.sin(Math.PI * x * cutoff) / (Math.PI * x * cutoff);
    const window = Math.abs(x) >= half ? 0 : 0.5 + 0.5 * Math.cos((Math.PI * x) / half);
    taps[k] = sinc * window;
    total += taps[k] ?? 0;
  }
  return taps.map((tap) => tap / total);
}

export function toFloat(samples: Int16Array): Float32Array {
  return Float32Array.from(samples, (sample) => sample / 32768);
}

export function toInt16(samples: Float32Array): Int16Array {
  return Int16Array.from(samples, (sample) => Math.max(-32768, Math.min(32767, Math.round(sample * 32768))));
}

/** Changes the rate of a whole clip, with the filter's tail. */
export function resampleClip(samples: Float32Array, fromRate: number, toRate: number): Float32Array {
  const padded = new Float32Array(samples.length + Math.ceil((HALF_WIDTH * 4 * fromRate) / toRate) + 64);
  padded.set(samples);
  const output = createResampler(fromRate, toRate)(padded);
  return output.slice(0, Math.round((samples.length * toRate) / fromRate));
}
