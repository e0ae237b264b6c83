import type { Features } from './features.ts';

/** Weights of named features for several outputs, as they stand in the weights file. */
export interface PackedLinear {
  outputs: number;
  /** Feature names, one a line. */
  names: string;
  /** Signed bytes, base64, `outputs` for each name; one step is worth `scales[output]`. */
  weights: string;
  scales: number[];
  bias: number[];
}

/** A linear model over named features. Unknown features weigh nothing. */
export class LinearModel {
  readonly #index: ReadonlyMap<string, number>;
  readonly #weights: Int8Array;
  readonly #packed: PackedLinear;

  constructor(packed: PackedLinear) {
    this.#packed = packed;
    const names = packed.names.split('\n');
    this.#index = new Map(names.map((name, at) => [name, at]));
    const bytes = Buffer.from(packed.weights, 'base64');
    this.#weights = new Int8Array(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    if (this.#weights.length !== names.length * packed.outputs) {
      throw new RangeError('The weights file of the scorer is damaged: names and weights differ in number.');
    }
  }

  apply(features: Features): number[] {
    const { outputs, scales, bias } = this.#packed;
    const sums = new Array<number>(outputs).fill(0);
    for (const [name, value] of features) {
      const at = this.#index.get(name);
      if (at === undefined) continue;
      for (let output = 0; output < outputs; output += 1) {
        sums[output] = (sums[output] ?? 0) + value * (this.#weights[at * outputs + output] ?? 0);
      }
    }
    return sums.map((sum, output) => sum * (scales[output] ?? 0) + (bias[output] ?? 0));
  }
}

export function softmax(logits: readonly number[]): number[] {
  const top = Math.max(...logits);
  const parts = logits.map((logit) => Math.exp(logit - top));
  const total = parts.reduce((sum, part) => sum + part, 0);
  return parts.map((part) => part / total);
}
