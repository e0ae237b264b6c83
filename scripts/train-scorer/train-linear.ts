import type { Features } from '../../src/scoring/features.ts';
import type { PackedLinear } from '../../src/scoring/linear-model.ts';
import type { Random } from './random.ts';

export interface LinearSample {
  features: Features;
  /** The lines as they were written: a feature counts once for each, however often a line is used. */
  source: { customer: string; agent: string };
  /** Class of the softmax over the first three outputs; -1 where there is none. */
  label: number;
  /** Target of the last output. */
  value: number;
  weight: number;
}

export interface LinearOptions {
  /** 4: three logits and a value; 1: the value alone. */
  outputs: 1 | 4;
  epochs: number;
  rate: number;
  decay: number;
  minimumCount: number;
}

/**
 * Softmax and squared loss together, by plain gradient descent with L2. Not AdaGrad or Adam: both let words that
 * occur once or twice learn fastest, and such words are what must not be learnt by heart.
 */
export function trainLinear(
  samples: readonly LinearSample[],
  options: LinearOptions,
  random: Random,
): PackedLinear {
  const { outputs } = options;
  const names = frequentNames(samples, options.minimumCount);
  const index = new Map(names.map((name, at) => [name, at]));
  const rows = samples.map(({ features, label, value, weight }) => {
    const at: number[] = [];
    const by: number[] = [];
    for (const [name, amount] of features) {
      const position = index.get(name);
      if (position === undefined) continue;
      at.push(position);
      by.push(amount);
    }
    return { at: Int32Array.from(at), by: Float32Array.from(by), label, value, weight };
  });
  const weights = new Float64Array(names.length * outputs);
  const bias = new Float64Array(outputs);
  bias[outputs - 1] =
    rows.reduce((sum, row) => sum + row.value * row.weight, 0) /
    rows.reduce((sum, row) => sum + row.weight, 0);
  const sums = new Float64Array(outputs);
  const slope = new Float64Array(outputs);
  for (let epoch = 0; epoch < options.epochs; epoch += 1) {
    const rate = options.rate * (1 - (0.9 * epoch) / options.epochs);
    for (const row of random.shuffle(rows)) {
      sums.set(bias);
      for (let i = 0; i < row.at.length; i += 1) {
        const base = (row.at[i] as number) * outputs;
        for (let o = 0; o < outputs; o += 1)
          sums[o] = (sums[o] as number) + (row.by[i] as number) * (weights[base + o] as number);
      }
      slope.fill(0);
      if (outputs === 4 && row.label >= 0) {
        const top = Math.max(sums[0] as number, sums[1] as number, sums[2] as number);
        let total = 0;
        for (let o = 0; o < 3; o += 1) total += Math.exp((sums[o] as number) - top);
        for (let o = 0; o < 3; o += 1) {
          slope[o] = (Math.exp((sums[o] as number) - top) / total - (o === row.label ? 1 : 0)) * row.weight;
        }
      }
      const last = outputs - 1;
      slope[last] = ((sums[last] as number) - row.value) * 0.5 * row.weight;
      for (let i = 0; i < row.at.length; i += 1) {
        const base = (row.at[i] as number) * outputs;
        for (let o = 0; o < outputs; o += 1) {
          const pull = options.decay * row.weight * (weights[base + o] as number);
          const gradient = (slope[o] as number) * (row.by[i] as number) + pull;
          weights[base + o] = (weights[base + o] as number) - rate * gradient;
        }
      }
      for (let o = 0; o < outputs; o += 1) bias[o] = (bias[o] as number) - 0.5 * rate * (slope[o] as number);
    }
  }
  return pack(names, weights, bias, outputs);
}

function frequentNames(samples: readonly LinearSample[], minimumCount: number): string[] {
  const lines = new Map<string, Set<string>>();
  for (const { features, source } of samples) {
    for (const name of features.keys()) {
      let seen = lines.get(name);
      if (!seen) {
        seen = new Set();
        lines.set(name, seen);
      }
      if (seen.size < minimumCount) seen.add(name.startsWith('A.') ? source.agent : source.customer);
    }
  }
  return [...lines].filter(([, seen]) => seen.size >= minimumCount).map(([name]) => name);
}

/** To signed bytes; names whose weights all round to nothing are left out. */
function pack(
  names: readonly string[],
  weights: Float64Array,
  bias: Float64Array,
  outputs: number,
): PackedLinear {
  const scales = Array.from({ length: outputs }, (_, o) => {
    let top = 1e-6;
    for (let at = o; at < weights.length; at += outputs) top = Math.max(top, Math.abs(weights[at] as number));
    return Number((top / 127).toPrecision(6));
  });
  const kept: string[] = [];
  const bytes: number[] = [];
  names.forEach((name, at) => {
    const row = scales.map((scale, o) => Math.round((weights[at * outputs + o] as number) / scale));
    if (row.every((value) => Math.abs(value) < 2)) return;
    kept.push(name);
    bytes.push(...row);
  });
  return {
    outputs,
    names: kept.join('\n'),
    weights: Buffer.from(Int8Array.from(bytes).buffer).toString('base64'),
    scales,
    bias: Array.from(bias, (value) => Number(value.toFixed(5))),
  };
}
