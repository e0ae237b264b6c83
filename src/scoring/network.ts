import { softmax } from './linear-model.ts';

/** One hidden layer; several of them, trained from different starts, are averaged. */
export interface PackedNetwork {
  /** `hidden` rows of `inputs + 1` numbers, the last of each row is the bias. */
  hidden: number[][];
  /** Four rows of `hidden + 1` numbers: logits of good, neutral, critical, and satisfaction. */
  output: number[][];
}

export interface NetworkOutput {
  /** Probabilities of good, neutral, critical. */
  probabilities: number[];
  /** 0 to 1. */
  satisfaction: number;
}

export function runNetworks(networks: readonly PackedNetwork[], inputs: readonly number[]): NetworkOutput {
  const probabilities = [0, 0, 0];
  let satisfaction = 0;
  for (const network of networks) {
    const hidden = network.hidden.map((row) => Math.tanh(weigh(row, inputs)));
    const raw = network.output.map((row) => weigh(row, hidden));
    softmax(raw.slice(0, 3)).forEach((probability, at) => {
      probabilities[at] = (probabilities[at] ?? 0) + probability / networks.length;
    });
    satisfaction += sigmoid(raw[3] ?? 0) / networks.length;
  }
  return { probabilities, satisfaction };
}

export function sigmoid(x: number): number {
  return 1 / (1 + Math.exp(-x));
}

/** A row of weights applied to values; the row's last number is the bias. */
export function weigh(row: readonly number[], values: readonly number[]): number {
  let sum = row[values.length] ?? 0;
  for (let at = 0; at < values.length; at += 1) sum += (row[at] ?? 0) * (values[at] ?? 0);
  return sum;
}
