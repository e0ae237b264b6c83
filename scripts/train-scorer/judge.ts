import type { Sentiment, TurnScore } from '../../src/scoring/types.ts';

export interface Judgement {
  macroF1: number;
  f1: Record<Sentiment, number>;
  /** Rank correlation of the final satisfaction with the label's. */
  spearmanFinal: number;
  spearmanTurns: number;
  meanErrorFinal: number;
  turns: number;
  conversations: number;
}

const SENTIMENTS: readonly Sentiment[] = ['good', 'neutral', 'critical'];

/** Compares scores with labels; both are one list of turns per conversation. */
export function judge(labels: readonly TurnScore[][], scores: readonly TurnScore[][]): Judgement {
  const pairs = labels.flatMap((turns, at) =>
    turns.map((label, turn) => ({ label, score: scores[at]?.[turn] })),
  );
  const f1 = Object.fromEntries(
    SENTIMENTS.map((sentiment) => {
      const hits = pairs.filter(
        ({ label, score }) => label.sentiment === sentiment && score?.sentiment === sentiment,
      ).length;
      const labelled = pairs.filter(({ label }) => label.sentiment === sentiment).length;
      const scored = pairs.filter(({ score }) => score?.sentiment === sentiment).length;
      return [sentiment, labelled + scored === 0 ? 0 : (2 * hits) / (labelled + scored)];
    }),
  ) as Record<Sentiment, number>;
  const finals = labels.flatMap((turns, at) => {
    const [label, score] = [turns.at(-1), scores[at]?.at(-1)];
    return label && score ? [{ label: label.satisfaction, score: score.satisfaction }] : [];
  });
  return {
    macroF1: (f1.good + f1.neutral + f1.critical) / 3,
    f1,
    spearmanFinal: spearman(
      finals.map(({ label }) => label),
      finals.map(({ score }) => score),
    ),
    spearmanTurns: spearman(
      pairs.map(({ label }) => label.satisfaction),
      pairs.map(({ score }) => score?.satisfaction ?? 0),
    ),
    meanErrorFinal:
      finals.reduce((sum, { label, score }) => sum + Math.abs(label - score), 0) / Math.max(1, finals.length),
    turns: pairs.length,
    conversations: labels.length,
  };
}

/** Spearman's rho: Pearson's correlation of the ranks, ties sharing theirs. */
export function spearman(one: readonly number[], two: readonly number[]): number {
  const a = ranks(one);
  const b = ranks(two);
  const mean = (one.length + 1) / 2;
  let both = 0;
  let first = 0;
  let second = 0;
  a.forEach((rank, at) => {
    const other = b[at] ?? mean;
    both += (rank - mean) * (other - mean);
    first += (rank - mean) ** 2;
    second += (other - mean) ** 2;
  });
  return first === 0 || second === 0 ? 0 : both / Math.sqrt(first * second);
}

function ranks(values: readonly number[]): number[] {
  const order = values.map((value, at) => ({ value, at })).sort((x, y) => x.value - y.value);
  const result = new Array<number>(values.length).fill(0);
  for (let start = 0; start < order.length; ) {
    let end = start;
    while (end + 1 < order.length && order[end + 1]?.value === order[start]?.value) end += 1;
    for (let at = start; at <= end; at += 1) result[order[at]?.at ?? 0] = (start + end) / 2 + 1;
    start = end + 1;
  }
  return result;
}
