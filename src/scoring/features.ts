import type { ConceptMatcher, Item } from './concepts.ts';
import { type ReadText, readText } from './text.ts';

/** Named features of one customer turn with their values; what the first stage weighs. */
export type Features = Map<string, number>;

/** What the agent did last, in the order in which one act outweighs another. */
export const AGENT_ACTS = [
  'REFUSE',
  'SOLVED',
  'TRANSFER',
  'TICKET',
  'DELAY',
  'DEFLECT',
  'OFFER',
  'ASK',
  'ACTING',
  'CLOSE',
  'GREETING',
  'APOLOGY',
] as const;
export type AgentAct = (typeof AGENT_ACTS)[number] | 'NONE' | 'OTHER';

export interface ReadTurn {
  text: ReadText;
  items: Item[];
  /** How often each concept occurs, negated ones under `!NAME`. */
  counts: Map<string, number>;
}

const FUNCTION_CONCEPT = /^(YOU|ME|THEY|INTENSIFIER|QUESTION_WORD)$/;
const CROSSED =
  /^!?(THANKS|THANKS_FOR_NOTHING|PRAISE_AGENT|RELIEF|DELIGHT|POSITIVE_|SOLVED_REPORT|FAREWELL|OK_WORD|RESIGNED|ICY|SARCASM|REPEAT|COMPLAINT|OUTRAGE|NEG_MILD|FAULT|EMO|CLOSING_DONE|SATISFIED_COLD|LATE|WAITING|QUESTION_WORD)/;

export function readTurn(text: string, speaker: 'customer' | 'agent', matcher: ConceptMatcher): ReadTurn {
  // A pasted log or article says nothing more after its first few hundred words.
  const read = readText(text.length > 4_000 ? text.slice(0, 4_000) : text);
  const items = matcher.items(read.words, speaker);
  const counts = new Map<string, number>();
  for (const { concepts, negated } of items) {
    for (const concept of concepts) bump(counts, negated ? `!${concept}` : concept, 1);
  }
  return { text: read, items, counts };
}

export function agentAct(turn: ReadTurn | undefined): AgentAct {
  if (!turn) return 'NONE';
  return AGENT_ACTS.find((act) => turn.counts.has(`A_${act}`)) ?? 'OTHER';
}

/** The features of a customer turn after what the agent said last; `mood` is how the conversation stood before. */
export function turnFeatures(customer: ReadTurn, agent: ReadTurn | undefined, mood: Mood): Features {
  const features: Features = new Map();
  const act = agentAct(agent);
  addItems(features, customer, '');
  addShape(features, customer.text);
  for (const concept of customer.counts.keys()) {
    if (!CROSSED.test(concept)) continue;
    set(features, `x:${concept}|${act}`, 0.6);
    set(features, `y:${concept}|${mood}`, 0.6);
  }
  const size = lengthBucket(customer.text.words.length);
  set(features, `act:${act}`, 1);
  set(features, `mood:${mood}`, 1);
  set(features, `act:${act}|${size}`, 0.5);
  set(features, `act:${act}|${mood}`, 0.5);
  set(features, `size:${size}|${mood}`, 0.5);
  if (agent) addAgent(features, agent);
  return features;
}

export type Mood = 'start' | 'bad' | 'open' | 'well';

/** What the agent's turn alone says of how the customer will take it. */
export function agentFeatures(agent: ReadTurn, mood: Mood): Features {
  const features: Features = new Map();
  addAgent(features, agent);
  set(features, `A.mood:${mood}`, 1);
  set(features, `A.act:${agentAct(agent)}|${mood}`, 0.7);
  set(features, `A.size:${lengthBucket(agent.text.words.length)}`, 0.4);
  for (const concept of agent.counts.keys()) set(features, `A.x:${concept}|${mood}`, 0.5);
  return features;
}

function addItems(features: Features, { items, counts }: ReadTurn, prefix: string): void {
  for (const [concept, times] of counts)
    set(features, `${prefix}c:${concept}`, Math.min(2.6, 1.3 + 0.4 * times));
  const label = (item: Item) => {
    const first = item.concepts[0];
    return first && !FUNCTION_CONCEPT.test(first) ? (item.negated ? '!' : '') + first : item.word;
  };
  items.forEach((item, at) => {
    set(features, `${prefix}w:${item.negated ? '!' : ''}${item.word}`, 0.5);
    const next = items[at + 1];
    if (next) {
      set(features, `${prefix}b:${item.word}_${next.word}`, 0.4);
      set(features, `${prefix}m:${label(item)}_${label(next)}`, 0.5);
    }
    const third = items[at + 2];
    if (next && third) set(features, `${prefix}t:${label(item)}_${label(next)}_${label(third)}`, 0.4);
    for (let ahead = at + 1; ahead < Math.min(items.length, at + 9); ahead += 1) {
      for (const one of item.concepts) {
        if (FUNCTION_CONCEPT.test(one)) continue;
        for (const two of items[ahead]?.concepts ?? []) {
          if (!FUNCTION_CONCEPT.test(two)) set(features, `${prefix}cc:${one}>${two}`, 0.5);
        }
      }
    }
  });
  const first = items[0];
  const last = items.at(-1);
  if (first) set(features, `${prefix}first:${label(first)}`, 0.5);
  if (last) set(features, `${prefix}last:${label(last)}`, 0.5);
}

function addAgent(features: Features, agent: ReadTurn): void {
  for (const concept of agent.counts.keys()) set(features, `A.c:${concept}`, 0.8);
  agent.items.forEach((item, at) => {
    set(features, `A.w:${item.word}`, 0.35);
    const next = agent.items[at + 1];
    if (next) set(features, `A.b:${item.word}_${next.word}`, 0.3);
  });
  if (agent.text.questionMarks > 0) set(features, 'A.s:question', 0.5);
}

function addShape(features: Features, text: ReadText): void {
  if (text.exclamations > 0) set(features, 's:exclamation', 0.5);
  if (text.exclamations > 2) set(features, 's:exclamations', 0.5);
  if (text.questionMarks > 0) set(features, 's:question', 0.5);
  if (text.questionMarks > 1) set(features, 's:questions', 0.5);
  if (text.ellipses > 0) set(features, 's:ellipsis', 0.5);
  if (text.quoted > 0) set(features, 's:quoted', 0.5);
  if (text.shouted > 1) set(features, 's:shouted', 0.7);
  if (text.sentences > 2) set(features, 's:sentences', 0.4);
  set(features, `s:${lengthBucket(text.words.length)}`, 0.6);
}

function lengthBucket(words: number): string {
  if (words <= 1) return 'one';
  if (words <= 3) return 'few';
  if (words <= 8) return 'short';
  if (words <= 18) return 'middle';
  return words <= 35 ? 'long' : 'very-long';
}

function set(features: Features, name: string, value: number): void {
  const had = features.get(name);
  if (had === undefined || had < value) features.set(name, value);
}

function bump(counts: Map<string, number>, name: string, by: number): void {
  counts.set(name, (counts.get(name) ?? 0) + by);
}
