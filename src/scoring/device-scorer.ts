import { readFile } from 'node:fs/promises';
import { z } from 'zod';
import { ConceptMatcher } from './concepts.ts';
import { conversationKey, RecentMap } from './conversation-key.ts';
import {
  type ConversationState,
  type FirstStage,
  hearAgent,
  hearCustomer,
  INITIAL_STATE,
} from './conversation-state.ts';
import { LinearModel, softmax } from './linear-model.ts';
import { runNetworks } from './network.ts';
import {
  type ConversationScorer,
  INITIAL_SATISFACTION,
  type Sentiment,
  type Turn,
  type TurnScore,
} from './types.ts';

const linearSchema = z.object({
  outputs: z.number().int(),
  names: z.string(),
  weights: z.string(),
  scales: z.array(z.number()),
  bias: z.array(z.number()),
});
const networkSchema = z.object({
  hidden: z.array(z.array(z.number())),
  output: z.array(z.array(z.number())),
});

/** The weights file that `scripts/train-scorer` writes. */
export const weightsSchema = z.object({
  format: z.literal(1),
  customer: linearSchema,
  agent: linearSchema,
  networks: z.array(networkSchema).min(1),
  /** Added to the log-probabilities of good, neutral, critical before the highest wins. */
  offsets: z.array(z.number()).length(3),
});
export type DeviceWeights = z.infer<typeof weightsSchema>;

const SENTIMENTS: readonly Sentiment[] = ['good', 'neutral', 'critical'];
/** Enough for a few hundred open interactions; an entry holds one turn's words. */
const REMEMBERED_TURNS = 4_000;

interface Step {
  state: ConversationState;
  /** 0 to 1, unrounded. */
  satisfaction: number;
  score: TurnScore | undefined;
}

/**
 * Half of the satisfaction is what the networks say, half what the labels' probabilities stand for: a good turn for
 * 78, a critical one for 30 or a quarter off, a neutral one mostly for what was before. This keeps the two in step
 * and lets neutral words change little (out-of-fold Spearman 0.781 -> 0.790, mean error 10.0 -> 9.6 held out).
 */
function settle(probabilities: readonly number[], fromNetworks: number, before: number): number {
  const [good = 0, neutral = 0, critical = 0] = probabilities;
  const expected =
    good * 0.78 + neutral * (0.8 * before + 0.2 * 0.58) + critical * Math.min(0.3, 0.75 * before);
  return 0.5 * fromNetworks + 0.5 * expected;
}

/**
 * Scores with the committed weights: no network, no cost, well below a millisecond a turn. Turns that were
 * scored before are remembered, so that a tick pays only for what is new. Loads its files once.
 */
export async function createDeviceScorer(): Promise<ConversationScorer> {
  const [lexicon, weights] = await Promise.all([
    readFile(new URL('./model/concepts.txt', import.meta.url), 'utf8'),
    readFile(new URL('./model/weights.json', import.meta.url), 'utf8'),
  ]);
  return buildDeviceScorer(new ConceptMatcher(lexicon), weightsSchema.parse(JSON.parse(weights)));
}

/** The scorer over given weights; the trainer uses it to judge what it made. */
export function buildDeviceScorer(matcher: ConceptMatcher, weights: DeviceWeights): ConversationScorer {
  const stage = trainedStage(weights);
  const remembered = new RecentMap<Step>(REMEMBERED_TURNS);

  const step = (before: Step, turn: Turn): Step => {
    if (turn.role === 'agent') {
      return { ...before, state: hearAgent(before.state, turn, matcher, stage), score: undefined };
    }
    const { state, inputs } = hearCustomer(before.state, turn, matcher, stage);
    const { probabilities, satisfaction: fromNetworks } = runNetworks(weights.networks, inputs);
    const satisfaction = settle(probabilities, fromNetworks, before.satisfaction);
    const weighed = probabilities.map(
      (probability, at) => Math.log(Math.max(1e-9, probability)) + (weights.offsets[at] ?? 0),
    );
    const sentiment = SENTIMENTS[weighed.indexOf(Math.max(...weighed))] ?? 'neutral';
    return { state, satisfaction, score: { sentiment, satisfaction: Math.round(satisfaction * 100) } };
  };

  return {
    kind: 'device',
    async score(turns: readonly Turn[]): Promise<TurnScore[]> {
      const scores: TurnScore[] = [];
      let current: Step = {
        state: INITIAL_STATE,
        satisfaction: INITIAL_SATISFACTION / 100,
        score: undefined,
      };
      let key = '';
      for (const turn of turns) {
        key = conversationKey(key, turn);
        current = remembered.get(key) ?? step(current, turn);
        remembered.set(key, current);
        if (current.score) scores.push({ ...current.score });
      }
      return scores;
    },
  };
}

export function trainedStage(weights: Pick<DeviceWeights, 'customer' | 'agent'>): FirstStage {
  const customer = new LinearModel(weights.customer);
  const agent = new LinearModel(weights.agent);
  return {
    readCustomer(features) {
      const [good = 0, neutral = 0, critical = 0, level = 0.5] = customer.apply(features);
      const [pGood = 0, pNeutral = 0, pCritical = 0] = softmax([good, neutral, critical]);
      return { good: pGood, neutral: pNeutral, critical: pCritical, level: Math.min(1, Math.max(0, level)) };
    },
    readAgent(features) {
      const [good = 0, neutral = 0, critical = 0, effect = 0] = agent.apply(features);
      const [pGood = 0, , pCritical = 0] = softmax([good, neutral, critical]);
      return { good: pGood, critical: pCritical, effect };
    },
  };
}
