import { softmax } from '../../src/scoring/linear-model.ts';
import { type PackedNetwork, sigmoid, weigh } from '../../src/scoring/network.ts';
import type { Random } from './random.ts';

export interface NetworkSample {
  inputs: readonly number[];
  label: number;
  /** Satisfaction, 0 to 1. */
  value: number;
  weight: number;
}

export interface NetworkOptions {
  hidden: number;
  epochs: number;
  rate: number;
  decay: number;
  /** How much the satisfaction counts beside the label. */
  valueWeight: number;
}

/** One hidden layer by Adam, one sample at a time. */
export function trainNetwork(
  samples: readonly NetworkSample[],
  options: NetworkOptions,
  random: Random,
): PackedNetwork {
  const width = samples[0]?.inputs.length ?? 0;
  const start = (rows: number, columns: number) =>
    Array.from({ length: rows }, () =>
      Array.from({ length: columns + 1 }, (_, at) =>
        at === columns ? 0 : (random.next() - 0.5) * 2 * Math.sqrt(1.5 / columns),
      ),
    );
  const hidden = start(options.hidden, width);
  const output = start(4, options.hidden);
  const memory = [hidden, output].map((layer) => ({
    mean: layer.map((row) => row.map(() => 0)),
    spread: layer.map((row) => row.map(() => 0)),
  }));
  let step = 0;
  const update = (layer: number[][], which: number, r: number, c: number, gradient: number, rate: number) => {
    const { mean, spread } = memory[which] as (typeof memory)[number];
    const m = mean[r] as number[];
    const s = spread[r] as number[];
    m[c] = 0.9 * (m[c] as number) + 0.1 * gradient;
    s[c] = 0.999 * (s[c] as number) + 0.001 * gradient * gradient;
    const row = layer[r] as number[];
    const corrected = (m[c] as number) / (1 - 0.9 ** Math.min(step, 500));
    row[c] =
      (row[c] as number) -
      (rate * corrected) / (Math.sqrt((s[c] as number) / (1 - 0.999 ** Math.min(step, 5000))) + 1e-6);
  };
  for (let epoch = 0; epoch < options.epochs; epoch += 1) {
    const rate = options.rate * (1 - epoch / options.epochs) ** 1 + options.rate * 0.02;
    for (const sample of random.shuffle(samples)) {
      step += 1;
      const active = hidden.map((row) => Math.tanh(weigh(row, sample.inputs)));
      const raw = output.map((row) => weigh(row, active));
      const probabilities = softmax(raw.slice(0, 3));
      const value = sigmoid(raw[3] as number);
      const slopes = probabilities.map((p, at) => (p - (at === sample.label ? 1 : 0)) * sample.weight);
      slopes.push((value - sample.value) * value * (1 - value) * 2 * options.valueWeight * sample.weight);
      const back = active.map((a, h) => {
        let sum = 0;
        for (let o = 0; o < 4; o += 1) sum += (slopes[o] as number) * ((output[o] as number[])[h] as number);
        return sum * (1 - a * a);
      });
      for (let o = 0; o < 4; o += 1) {
        for (let h = 0; h <= options.hidden; h += 1) {
          const weight = (output[o] as number[])[h] as number;
          const decay = h < options.hidden ? options.decay * weight : 0;
          update(output, 1, o, h, (slopes[o] as number) * (active[h] ?? 1) + decay, rate);
        }
      }
      for (let h = 0; h < options.hidden; h += 1) {
        for (let i = 0; i <= width; i += 1) {
          const weight = (hidden[h] as number[])[i] as number;
          const decay = i < width ? options.decay * weight : 0;
          update(hidden, 0, h, i, (back[h] as number) * (sample.inputs[i] ?? 1) + decay, rate);
        }
      }
    }
  }
  const round = (layer: number[][]) => layer.map((row) => row.map((value) => Number(value.toFixed(4))));
  return { hidden: round(hidden), output: round(output) };
}
