import type { ConceptMatcher } from './concepts.ts';
import {
  AGENT_ACTS,
  agentAct,
  agentFeatures,
  type Features,
  type Mood,
  type ReadTurn,
  readTurn,
  turnFeatures,
} from './features.ts';
import type { Turn } from './types.ts';

/** What the first stage makes of one customer turn on its own, before the course of the conversation is weighed. */
export interface FirstReading {
  good: number;
  neutral: number;
  critical: number;
  /** Satisfaction as the words alone suggest it, about 0 to 1. */
  level: number;
}

/** What the agent's words alone lead one to expect of the customer's next turn. */
export interface AgentReading {
  good: number;
  critical: number;
  /** By how much satisfaction moves, about -0.5 to 0.5. */
  effect: number;
}

/** The first stage: trained linear models, or out-of-fold stand-ins during training. */
export interface FirstStage {
  readCustomer(features: Features): FirstReading;
  /** How the customer may be expected to take what the agent said. */
  readAgent(features: Features): AgentReading;
}

/** Everything that is remembered of the turns so far; small, so that it can be kept for each turn. */
export interface ConversationState {
  customerTurns: number;
  agentTurns: number;
  lastAgent: ReadTurn | undefined;
  /** The agent's turns since the customer last spoke. */
  agentSince: number;
  expected: AgentReading;
  effectTotal: number;
  refusals: number;
  solutions: number;
  repeats: number;
  criticals: number;
  goods: number;
  level: number;
  lowest: number;
  previous: FirstReading | undefined;
  trail: { good: number; critical: number };
  agentQuestions: string[];
  askedAgain: number;
  lastEffect: number;
}

const NOTHING_EXPECTED: AgentReading = { good: 0.2, critical: 0.3, effect: 0 };

export const INITIAL_STATE: ConversationState = {
  customerTurns: 0,
  agentTurns: 0,
  lastAgent: undefined,
  agentSince: 0,
  expected: NOTHING_EXPECTED,
  effectTotal: 0,
  refusals: 0,
  solutions: 0,
  repeats: 0,
  criticals: 0,
  goods: 0,
  level: 0.58,
  lowest: 0.58,
  previous: undefined,
  trail: { good: 0, critical: 0 },
  agentQuestions: [],
  askedAgain: 0,
  lastEffect: 0,
};

const HEARD = [
  'THANKS',
  'THANKS_FOR_NOTHING',
  'PRAISE_AGENT',
  'RELIEF',
  'DELIGHT',
  'POSITIVE_MILD',
  'POSITIVE_UNDERSTATED',
  'SOLVED_REPORT',
  'SARCASM_FRAME',
  'SARCASM_RHETORICAL',
  'ICY',
  'OUTRAGE',
  'COMPLAINT',
  'REPEAT_ORD',
  'REPEAT_CONTACT',
  'RESIGNED',
  'LEAVE_THREAT',
  'LEGAL_THREAT',
  'DEMAND',
  'FAULT',
  'NEG_MILD',
  'DURATION_LONG',
  'FAREWELL',
  'POLITE',
  'INFO_ASK',
  'NEGATOR',
  'EMO_POS',
  'EMO_NEG',
] as const;

/** Takes an agent's turn into account. */
export function hearAgent(
  state: ConversationState,
  turn: Turn,
  matcher: ConceptMatcher,
  stage: FirstStage,
): ConversationState {
  const read = readTurn(turn.text, 'agent', matcher);
  const gist = read.text.words.slice(0, 24).join(' ');
  const again = read.text.words.length > 3 && state.agentQuestions.some((asked) => similar(asked, gist));
  // Several messages in a row are one answer: what one of them refuses or solves, the answer does.
  const lastAgent = state.agentSince > 0 && state.lastAgent ? joined(state.lastAgent, read) : read;
  const act = agentAct(read);
  const expected = stage.readAgent(agentFeatures(lastAgent, mood(state)));
  return {
    ...state,
    agentTurns: state.agentTurns + 1,
    agentSince: state.agentSince + 1,
    lastAgent,
    expected,
    refusals: state.refusals + (act === 'REFUSE' ? 1 : 0),
    solutions: state.solutions + (act === 'SOLVED' ? 1 : 0),
    agentQuestions: [...state.agentQuestions.slice(-5), gist],
    askedAgain: state.askedAgain + (again ? 1 : 0),
  };
}

/** Takes a customer's turn into account and returns what the second stage weighs. */
export function hearCustomer(
  state: ConversationState,
  turn: Turn,
  matcher: ConceptMatcher,
  stage: FirstStage,
): { state: ConversationState; inputs: number[]; features: Features; reading: FirstReading } {
  const customer = readTurn(turn.text, 'customer', matcher);
  const agent = state.agentSince > 0 ? state.lastAgent : undefined;
  const features = turnFeatures(customer, agent, mood(state));
  const reading = stage.readCustomer(features);
  const inputs = secondStageInputs(state, customer, agent, reading);
  const repeats = (customer.counts.get('REPEAT_ORD') ?? 0) + (customer.counts.get('REPEAT_CONTACT') ?? 0);
  const level = state.level + 0.6 * (reading.level - state.level);
  const next: ConversationState = {
    ...state,
    customerTurns: state.customerTurns + 1,
    agentSince: 0,
    expected: NOTHING_EXPECTED,
    effectTotal: state.effectTotal + state.expected.effect,
    lastEffect: state.agentSince > 0 ? state.expected.effect : state.lastEffect,
    repeats: state.repeats + Math.min(2, repeats),
    criticals: state.criticals + reading.critical,
    goods: state.goods + reading.good,
    level,
    lowest: Math.min(state.lowest, level),
    previous: reading,
    trail: {
      good: 0.5 * state.trail.good + 0.5 * reading.good,
      critical: 0.5 * state.trail.critical + 0.5 * reading.critical,
    },
  };
  return { state: next, inputs, features, reading };
}

function mood({ previous, trail }: ConversationState): Mood {
  if (!previous) return 'start';
  if (trail.critical > 0.4) return 'bad';
  return trail.good > 0.35 ? 'well' : 'open';
}

function secondStageInputs(
  state: ConversationState,
  customer: ReadTurn,
  agent: ReadTurn | undefined,
  reading: FirstReading,
): number[] {
  const first = state.previous === undefined;
  const before = state.previous ?? { good: 0, neutral: 1, critical: 0, level: state.level };
  const act = agentAct(agent);
  const words = customer.text.words.length;
  const heard = HEARD.map((name) => Math.min(2, customer.counts.get(name) ?? 0));
  const turns = Math.max(1, state.customerTurns);
  return [
    logOdds(reading.good),
    logOdds(reading.critical),
    reading.level * 3 - 1.5,
    first ? 1 : 0,
    logOdds(before.good) * 0.5,
    logOdds(before.critical) * 0.5,
    state.level * 3 - 1.5,
    state.lowest * 3 - 1.5,
    state.trail.good,
    state.trail.critical,
    state.criticals / turns,
    Math.min(4, state.criticals) / 2,
    Math.min(4, state.goods) / 2,
    state.expected.effect * 4,
    logOdds(state.expected.good),
    logOdds(state.expected.critical),
    clamp((state.effectTotal + state.expected.effect) * 2, -2, 2),
    state.lastEffect * 4,
    Math.min(3, state.refusals) / 2,
    Math.min(3, state.solutions) / 2,
    Math.min(4, state.repeats) / 2,
    Math.min(2, state.askedAgain),
    Math.min(8, state.customerTurns) / 4,
    Math.log1p(words) / 2 - 1,
    Math.min(2, customer.text.exclamations),
    Math.min(2, customer.text.questionMarks),
    ...AGENT_ACTS.map((name) => (name === act ? 1 : 0)),
    ...heard,
  ];
}

function logOdds(probability: number): number {
  const safe = clamp(probability, 0.01, 0.99);
  return Math.log(safe / (1 - safe)) / 2;
}

function clamp(value: number, low: number, high: number): number {
  return Math.min(high, Math.max(low, value));
}

function joined(first: ReadTurn, second: ReadTurn): ReadTurn {
  const counts = new Map(first.counts);
  for (const [name, times] of second.counts) counts.set(name, (counts.get(name) ?? 0) + times);
  return { text: second.text, items: [...first.items, ...second.items].slice(-200), counts };
}

function similar(one: string, two: string): boolean {
  const a = new Set(one.split(' '));
  const b = new Set(two.split(' '));
  let shared = 0;
  for (const word of a) if (b.has(word)) shared += 1;
  return shared / Math.max(a.size, b.size) > 0.6;
}
