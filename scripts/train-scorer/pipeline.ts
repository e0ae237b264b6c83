import { readdirSync, readFileSync } from 'node:fs';
import { ConceptMatcher } from '../../src/scoring/concepts.ts';
import {
  type FirstStage,
  hearAgent,
  hearCustomer,
  INITIAL_STATE,
} from '../../src/scoring/conversation-state.ts';
import { buildDeviceScorer, type DeviceWeights, trainedStage } from '../../src/scoring/device-scorer.ts';
import type { Features } from '../../src/scoring/features.ts';
import type { PackedLinear } from '../../src/scoring/linear-model.ts';
import type { PackedNetwork } from '../../src/scoring/network.ts';
import type { Sentiment } from '../../src/scoring/types.ts';
import { asPlainSpeech, compose, foldOf, readBank } from './compose.ts';
import { judge } from './judge.ts';
import { createRandom } from './random.ts';
import { type LabelledConversation, readConversations } from './read-material.ts';
import { type LinearOptions, type LinearSample, trainLinear } from './train-linear.ts';
import { type NetworkOptions, type NetworkSample, trainNetwork } from './train-network.ts';

export interface TrainingOptions {
  folds: number;
  composedPerFold: number;
  composedWeight: number;
  writtenWeight: number;
  networks: number;
  customer: LinearOptions;
  agent: LinearOptions;
  network: NetworkOptions;
  /** Added to the log-probabilities of good, neutral, critical. */
  offsets: number[];
  seed: number;
}

export const TRAINING: TrainingOptions = {
  folds: 5,
  composedPerFold: 400,
  composedWeight: 0.25,
  writtenWeight: 0.6,
  networks: 4,
  customer: { outputs: 4, epochs: 18, rate: 0.06, decay: 0.002, minimumCount: 2 },
  agent: { outputs: 4, epochs: 20, rate: 0.05, decay: 0.004, minimumCount: 2 },
  network: { hidden: 10, epochs: 8, rate: 0.003, decay: 0.0005, valueWeight: 6 },
  offsets: [0, 0, 0],
  seed: 7,
};

export interface Weighted {
  conversation: LabelledConversation;
  weight: number;
  fold: number;
  written: boolean;
}

const LABELS: Record<Sentiment, number> = { good: 0, neutral: 1, critical: 2 };
const material = new URL('./material/', import.meta.url);

export const modelFolder = new URL('../../src/scoring/model/', import.meta.url);
export const matcher = new ConceptMatcher(readFileSync(new URL('concepts.txt', modelFolder), 'utf8'));

/** Everything to learn from: what was written, the same as plain speech, and composed conversations. */
export function gather(options: TrainingOptions): Weighted[] {
  const files = readdirSync(material).sort();
  const written = files
    .filter((name) => name.startsWith('conversations'))
    .flatMap((name) => readConversations(readFileSync(new URL(name, material), 'utf8'), name));
  const bank = readBank(
    material,
    files.filter((name) => name.startsWith('lines-reactions')),
    files.filter((name) => name.startsWith('lines-openings')),
    files.filter((name) => name.startsWith('lines-agent')),
  );
  const random = createRandom(options.seed);
  const weight = options.writtenWeight;
  const result: Weighted[] = random.shuffle(written).flatMap((conversation, at) => {
    const fold = at % options.folds;
    return [
      { conversation, weight, fold, written: true },
      { conversation: asPlainSpeech(conversation, random), weight, fold, written: true },
    ];
  });
  for (let fold = 0; fold < options.folds; fold += 1) {
    const part = foldOf(bank, (text) => hashText(text) % options.folds === fold);
    for (let at = 0; at < options.composedPerFold; at += 1) {
      const composed = compose(part, random, `composed-${fold}-${at}`);
      const conversation = random.next() < 0.5 ? composed : asPlainSpeech(composed, random);
      result.push({ conversation, weight: options.composedWeight, fold, written: false });
    }
  }
  return result;
}

interface Fold {
  stages: Pick<DeviceWeights, 'customer' | 'agent'>;
  /** What the networks learn from: readings of the fold by stages that never saw it. */
  samples: NetworkSample[];
}

/** Trains all of it: out-of-fold readings first, from which the networks learn, then the stages on everything. */
export async function train(all: readonly Weighted[], options: TrainingOptions) {
  const folds = trainFolds(all, options);
  const outOfFold = await scoreOutOfFold(all, folds, options);
  const weights: DeviceWeights = {
    format: 1,
    ...trainStages(all, options),
    networks: trainNetworks(
      folds.flatMap(({ samples }) => samples),
      options.networks,
      options.network,
    ),
    offsets: options.offsets,
  };
  const labels = outOfFold.judged.map((one) => one.labels);
  return { weights, crossValidated: judge(labels, outOfFold.scores), outOfFold };
}

export function trainStages(part: readonly Weighted[], options: TrainingOptions): Fold['stages'] {
  return {
    customer: trainCustomerStage(part, options.customer),
    agent: trainAgentStage(part, options.agent),
  };
}

export function trainFolds(all: readonly Weighted[], options: TrainingOptions): Fold[] {
  return Array.from({ length: options.folds }, (_, fold) => {
    const stages = trainStages(
      all.filter((one) => one.fold !== fold),
      options,
    );
    const own = all.filter((one) => one.fold === fold);
    return { stages, samples: networkSamples(own, trainedStage(stages)) };
  });
}

/** Scores each written conversation by stages and a network that never saw its fold. */
export async function scoreOutOfFold(
  all: readonly Weighted[],
  folds: readonly Fold[],
  options: TrainingOptions,
) {
  const judged: LabelledConversation[] = [];
  const scores: LabelledConversation['labels'][] = [];
  for (const [fold, { stages }] of folds.entries()) {
    const samples = folds.flatMap((one, at) => (at === fold ? [] : one.samples));
    const networks = trainNetworks(samples, 1, options.network);
    const own = all.filter((one) => one.fold === fold && one.written).map((one) => one.conversation);
    scores.push(...(await scoreAll(own, { format: 1, ...stages, networks, offsets: options.offsets })));
    judged.push(...own);
  }
  return { judged, scores };
}

export async function scoreAll(conversations: readonly LabelledConversation[], weights: DeviceWeights) {
  const scorer = buildDeviceScorer(matcher, weights);
  const scores: LabelledConversation['labels'][] = [];
  for (const { turns } of conversations) scores.push(await scorer.score(turns));
  return scores;
}

/** The agents' stage: how the customer takes what the agent said, and how far that moves satisfaction. */
function trainAgentStage(part: readonly Weighted[], options: LinearOptions): PackedLinear {
  const samples: LinearSample[] = part.flatMap(({ conversation, weight }) => {
    const rows: LinearSample[] = [];
    let before = 0.58;
    let heard: Features | undefined;
    const stage = labelledStage(conversation);
    const listening: FirstStage = {
      ...stage,
      readAgent(features) {
        heard = features;
        return stage.readAgent(features);
      },
    };
    walk(conversation, listening, ({ source, label, value }) => {
      if (heard) rows.push({ features: heard, source, label, value: value - before, weight });
      before = value;
      heard = undefined;
    });
    return rows;
  });
  return trainLinear(samples, options, createRandom(1));
}

/** The customers' stage; the mood before each turn comes from the labels. */
function trainCustomerStage(part: readonly Weighted[], options: LinearOptions): PackedLinear {
  const samples = part.flatMap(({ conversation, weight }) => {
    const rows: LinearSample[] = [];
    walk(conversation, labelledStage(conversation), ({ features, source, label, value }) => {
      rows.push({ features, source, label, value, weight });
    });
    return rows;
  });
  return trainLinear(samples, options, createRandom(2));
}

/** A first stage that knows the answers, softened, so that the mood before a turn is a plausible one. */
function labelledStage(conversation: LabelledConversation): FirstStage {
  let at = 0;
  return {
    readCustomer() {
      const label = conversation.labels[at++];
      const level = (label?.satisfaction ?? 58) / 100;
      const share = (sentiment: Sentiment) => (label?.sentiment === sentiment ? 0.8 : 0.1);
      return { good: share('good'), neutral: share('neutral'), critical: share('critical'), level };
    },
    readAgent: () => ({ good: 0, critical: 0, effect: 0 }),
  };
}

interface WalkedTurn {
  features: Features;
  source: LinearSample['source'];
  inputs: number[];
  label: number;
  value: number;
}

function walk(conversation: LabelledConversation, stage: FirstStage, take: (turn: WalkedTurn) => void): void {
  let state = INITIAL_STATE;
  let at = 0;
  let agent = '';
  for (const [position, turn] of conversation.turns.entries()) {
    const written = conversation.written?.[position] ?? turn.text;
    if (turn.role === 'agent') {
      state = hearAgent(state, turn, matcher, stage);
      agent = written;
      continue;
    }
    const label = conversation.labels[at++];
    const { features, inputs, state: next } = hearCustomer(state, turn, matcher, stage);
    state = next;
    if (!label) continue;
    const source = { customer: written, agent };
    take({ features, inputs, source, label: LABELS[label.sentiment], value: label.satisfaction / 100 });
  }
}

function networkSamples(part: readonly Weighted[], stage: FirstStage): NetworkSample[] {
  return part.flatMap(({ conversation, weight }) => {
    const rows: NetworkSample[] = [];
    walk(conversation, stage, ({ inputs, label, value }) => rows.push({ inputs, label, value, weight }));
    return rows;
  });
}

export function trainNetworks(
  samples: readonly NetworkSample[],
  howMany: number,
  options: NetworkOptions,
): PackedNetwork[] {
  return Array.from({ length: howMany }, (_, at) => trainNetwork(samples, options, createRandom(100 + at)));
}

function hashText(text: string): number {
  let hash = 7;
  for (let at = 0; at < text.length; at += 1) hash = (Math.imul(hash, 31) + text.charCodeAt(at)) >>> 0;
  return hash;
}
