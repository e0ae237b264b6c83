import type { Features } from '../../src/scoring/features.ts';
import type { PackedLinear } from '../../src/scoring/linear-model.ts';
import type { Random } from './random.ts';

export interface LinearSample {
  features: Features;
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

/** Softmax and squared loss together, by AdaGrad with L2; sparse, in one pass over the samples per epoch. */
export function trainLinear(
  samples: readonly LinearSample[],
  options: LinearOptions,
  random: Random,
): PackedLinear {
  const { outputs } = options;
  const counts = new Map<string, number>();
  for (const { features } of samples)
    for (const name of features.keys()) counts.set(name, (counts.get(name) ?? 0) + 1);
  const names = [...counts].filter(([, times]) => times >= options.minimumCount).map(([name]) => name);
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
  const squares = new Float64Array(names.length * outputs).fill(0.1);
  const bias = new Float64Array(outputs);
  const biasSquares = new Float64Array(outputs).fill(1);
  bias[outputs - 1] =
    rows.reduce((sum, row) => sum + row.value * row.weight, 0) /
    rows.reduce((sum, row) => sum + row.weight, 0);
  const sums = new Float64Array(outputs);
  const slope = new Float64Array(outputs);
  for (let epoch = 0; epoch < options.epochs; epoch += 1) {
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
      // The value runs over one unit where logits run over several: weighted up so that both learn at one rate.
      slope[last] = ((sums[last] as number) - row.value) * 2 * row.weight;
      for (let i = 0; i < row.at.length; i += 1) {
        const base = (row.at[i] as number) * outputs;
        for (let o = 0; o < outputs; o += 1) {
          const g =
            (slope[o] as number) * (row.by[i] as number) +
            options.decay * row.weight * (weights[base + o] as number);
          squares[base + o] = (squares[base + o] as number) + g * g;
          const scale = o === last ? 0.25 : 1;
          weights[base + o] =
            (weights[base + o] as number) -
            (scale * options.rate * g) / Math.sqrt(squares[base + o] as number);
        }
      }
      for (let o = 0; o < outputs; o += 1) {
        const g = slope[o] as number;
        biasSquares[o] = (biasSquares[o] as number) + g * g;
        bias[o] = (bias[o] as number) - (0.5 * options.rate * g) / Math.sqrt(biasSquares[o] as number);
      }
    }
  }
  return pack(names, weights, bias, outputs);
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
