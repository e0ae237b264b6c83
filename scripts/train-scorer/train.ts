/**
 * Trains the on-device scorer on the material beside it and writes `src/scoring/model/weights.json`.
 * `node scripts/train-scorer/train.ts [--dry]`: about a minute; the same material gives the same file.
 * The conversations in `test/scoring/` are only judged at the end, never learnt from.
 */
import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { ConceptMatcher } from '../../src/scoring/concepts.ts';
import {
  type FirstStage,
  hearAgent,
  hearCustomer,
  INITIAL_STATE,
} from '../../src/scoring/conversation-state.ts';
import { buildDeviceScorer, type DeviceWeights, trainedStage } from '../../src/scoring/device-scorer.ts';
import { agentFeatures, readTurn } from '../../src/scoring/features.ts';
import type { PackedLinear } from '../../src/scoring/linear-model.ts';
import type { PackedNetwork } from '../../src/scoring/network.ts';
import type { Sentiment } from '../../src/scoring/types.ts';
import { asPlainSpeech, compose, foldOf, readBank } from './compose.ts';
import { judge } from './judge.ts';
import { createRandom } from './random.ts';
import { type LabelledConversation, readConversations } from './read-material.ts';
import { type LinearSample, trainLinear } from './train-linear.ts';
import { type NetworkSample, trainNetwork } from './train-network.ts';

const FOLDS = 5;
const COMPOSED_PER_FOLD = 400;
const NETWORKS = 4;
const LABELS: Record<Sentiment, number> = { good: 0, neutral: 1, critical: 2 };
const material = new URL('./material/', import.meta.url);
const model = new URL('../../src/scoring/model/', import.meta.url);
const held = new URL('../../test/scoring/conversations/', import.meta.url);

interface Weighted {
  conversation: LabelledConversation;
  weight: number;
  fold: number;
}

const files = readdirSync(material).sort();
const written = files
  .filter((name) => name.startsWith('conversations'))
  .flatMap((name) => readConversations(readFileSync(new URL(name, material), 'utf8'), name));
const bank = readBank(
  material,
  files.filter((name) => name.startsWith('lines-reactions')),
  files.filter((name) => name.startsWith('lines-openings')),
);
const matcher = new ConceptMatcher(readFileSync(new URL('concepts.txt', model), 'utf8'));

const all = gather();
const started = performance.now();

/** Everything to learn from: what was written, the same as plain speech, and composed conversations. */
function gather(): Weighted[] {
  const random = createRandom(7);
  const order = random.shuffle(written);
  const result: Weighted[] = order.flatMap((conversation, at) => {
    const fold = at % FOLDS;
    return [
      { conversation, weight: 0.6, fold },
      { conversation: asPlainSpeech(conversation, random), weight: 0.6, fold },
    ];
  });
  for (let fold = 0; fold < FOLDS; fold += 1) {
    const part = foldOf(bank, (text) => hashText(text) % FOLDS === fold);
    for (let at = 0; at < COMPOSED_PER_FOLD; at += 1) {
      const composed = compose(part, random, `composed-${fold}-${at}`);
      result.push({
        conversation: random.next() < 0.5 ? composed : asPlainSpeech(composed, random),
        weight: 0.3,
        fold,
      });
    }
  }
  return result;
}

/** The agents' stage: how far satisfaction moves after what the agent said. */
function trainAgentStage(part: readonly Weighted[]): PackedLinear {
  const samples: LinearSample[] = part.flatMap(({ conversation, weight }) => {
    const rows: LinearSample[] = [];
    let before = 0.58;
    let said: string[] = [];
    let at = 0;
    for (const { role, text } of conversation.turns) {
      if (role === 'agent') {
        said.push(text);
        continue;
      }
      const after = (conversation.labels[at++]?.satisfaction ?? 58) / 100;
      if (said.length > 0 && at > 1) {
        const features = agentFeatures(readTurn(said.join(' '), 'agent', matcher));
        rows.push({ features, label: -1, value: after - before, weight });
      }
      before = after;
      said = [];
    }
    return rows;
  });
  return trainLinear(
    samples,
    { outputs: 1, epochs: 12, rate: 0.15, decay: 0.01, minimumCount: 2 },
    createRandom(1),
  );
}

/** The customers' stage; moods come from a pass with the labels' own course. */
function trainCustomerStage(part: readonly Weighted[]): PackedLinear {
  const samples = part.flatMap(({ conversation, weight }) => {
    const rows: LinearSample[] = [];
    walk(conversation, labelledStage(conversation), (turn) => {
      rows.push({ features: turn.features, label: turn.label, value: turn.value, weight });
    });
    return rows;
  });
  return trainLinear(
    samples,
    { outputs: 4, epochs: 14, rate: 0.12, decay: 0.012, minimumCount: 2 },
    createRandom(2),
  );
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
    readAgent: () => 0,
  };
}

interface WalkedTurn {
  features: ReturnType<typeof hearCustomer>['features'];
  inputs: number[];
  label: number;
  value: number;
}

function walk(conversation: LabelledConversation, stage: FirstStage, take: (turn: WalkedTurn) => void): void {
  let state = INITIAL_STATE;
  let at = 0;
  for (const turn of conversation.turns) {
    if (turn.role === 'agent') {
      state = hearAgent(state, turn, matcher, stage);
      continue;
    }
    const label = conversation.labels[at++];
    const heard = hearCustomer(state, turn, matcher, stage);
    state = heard.state;
    if (label) {
      take({
        features: heard.features,
        inputs: heard.inputs,
        label: LABELS[label.sentiment],
        value: label.satisfaction / 100,
      });
    }
  }
}

function networkSamples(part: readonly Weighted[], stage: FirstStage): NetworkSample[] {
  return part.flatMap(({ conversation, weight }) => {
    const rows: NetworkSample[] = [];
    walk(conversation, stage, ({ inputs, label, value }) => rows.push({ inputs, label, value, weight }));
    return rows;
  });
}

function trainNetworks(samples: readonly NetworkSample[], howMany: number): PackedNetwork[] {
  return Array.from({ length: howMany }, (_, at) =>
    trainNetwork(
      samples,
      { hidden: 10, epochs: 8, rate: 0.003, decay: 0.0005, valueWeight: 6 },
      createRandom(100 + at),
    ),
  );
}

function hashText(text: string): number {
  let hash = 7;
  for (let at = 0; at < text.length; at += 1) hash = (Math.imul(hash, 31) + text.charCodeAt(at)) >>> 0;
  return hash;
}

async function judgeOn(conversations: readonly LabelledConversation[], weights: DeviceWeights) {
  const scorer = buildDeviceScorer(matcher, weights);
  const scores = [];
  for (const { turns } of conversations) scores.push(await scorer.score(turns));
  return {
    judgement: judge(
      conversations.map(({ labels }) => labels),
      scores,
    ),
    scores,
  };
}

function show(
  name: string,
  { macroF1, f1, spearmanFinal, spearmanTurns, meanErrorFinal }: ReturnType<typeof judge>,
): void {
  const figure = (value: number) => value.toFixed(3);
  console.log(
    `${name.padEnd(26)} macro-F1 ${figure(macroF1)} (good ${figure(f1.good)} neutral ${figure(f1.neutral)} critical ${figure(f1.critical)})` +
      `  Spearman final ${figure(spearmanFinal)} turns ${figure(spearmanTurns)}  mean error ${meanErrorFinal.toFixed(1)}`,
  );
}

// Out of fold: each fold is read by stages that never saw it, and the networks learn from such readings only.
const folds = Array.from({ length: FOLDS }, (_, fold) => {
  const rest = all.filter((one) => one.fold !== fold);
  const stages = { customer: trainCustomerStage(rest), agent: trainAgentStage(rest) };
  return {
    stages,
    samples: networkSamples(
      all.filter((one) => one.fold === fold),
      trainedStage(stages),
    ),
  };
});
const foldScores = [];
const foldLabels = [];
const offsets = [0, 0, 0];
for (let fold = 0; fold < FOLDS; fold += 1) {
  const samples = folds.flatMap((one, at) => (at === fold ? [] : one.samples));
  const weights = {
    format: 1 as const,
    ...(folds[fold] as (typeof folds)[number]).stages,
    networks: trainNetworks(samples, 2),
    offsets,
  };
  const judged = all
    .filter((one) => one.fold === fold && one.weight > 0.5)
    .map(({ conversation }) => conversation);
  const { scores } = await judgeOn(judged, weights);
  foldScores.push(...scores);
  foldLabels.push(...judged.map(({ labels }) => labels));
}
show('cross-validated', judge(foldLabels, foldScores));

const stages = { customer: trainCustomerStage(all), agent: trainAgentStage(all) };
const weights: DeviceWeights = {
  format: 1,
  ...stages,
  networks: trainNetworks(
    folds.flatMap(({ samples }) => samples),
    NETWORKS,
  ),
  offsets,
};
const evaluation = readdirSync(held).flatMap((name) =>
  readConversations(readFileSync(new URL(name, held), 'utf8'), name),
);
show('held out', (await judgeOn(evaluation, weights)).judgement);
const random = createRandom(99);
show(
  'held out, plain speech',
  (
    await judgeOn(
      evaluation.map((one) => asPlainSpeech(one, random)),
      weights,
    )
  ).judgement,
);
const turns = all.reduce((sum, { conversation }) => sum + conversation.labels.length, 0);
const text = `${JSON.stringify(weights)}\n`;
console.log(
  `${written.length} written conversations, ${turns} turns in all; ${weights.customer.names.split('\n').length} features; ` +
    `${(text.length / 1024).toFixed(0)} KiB; ${((performance.now() - started) / 1000).toFixed(0)} s`,
);
if (!process.argv.includes('--dry')) writeFileSync(new URL('weights.json', model), text);
