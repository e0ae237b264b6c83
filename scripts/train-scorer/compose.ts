import { readFileSync } from 'node:fs';
import type { TurnScore } from '../../src/scoring/types.ts';
import type { Random } from './random.ts';
import { type LabelledConversation, readLabelledLine } from './read-material.ts';

interface Line {
  text: string;
  label: TurnScore;
  after: 'any' | 'bad' | 'fine';
}

/** Single lines from which conversations are put together: openings, agents' lines by act, reactions by act. */
export interface LineBank {
  openings: Line[];
  agents: Map<string, string[]>;
  reactions: Map<string, Line[]>;
}

export function readBank(
  folder: URL,
  reactionFiles: readonly string[],
  openingFiles: readonly string[],
  agentFiles: readonly string[],
): LineBank {
  const read = (name: string) =>
    readFileSync(new URL(name, folder), 'utf8')
      .split('\n')
      .filter((line) => line.trim() !== '' && !line.startsWith('# '));
  const labelled = (line: string): Line => {
    const parsed = readLabelledLine(line);
    if (!parsed) throw new Error(`not a labelled line: ${line}`);
    return parsed;
  };
  const agents = new Map<string, string[]>();
  const reactions = new Map<string, Line[]>();
  let section = '';
  for (const line of agentFiles.flatMap(read)) {
    if (line.startsWith('== ')) section = line.slice(3);
    else agents.set(section, [...(agents.get(section) ?? []), line]);
  }
  for (const file of reactionFiles) {
    for (const line of read(file)) {
      if (line.startsWith('== ')) section = line.slice(3);
      else reactions.set(section, [...(reactions.get(section) ?? []), labelled(line)]);
    }
  }
  return { openings: openingFiles.flatMap((file) => read(file).map(labelled)), agents, reactions };
}

/** The part of a bank that belongs to one fold, so that no line is learnt and judged at once. */
export function foldOf(bank: LineBank, keep: (text: string) => boolean): LineBank {
  return {
    openings: bank.openings.filter(({ text }) => keep(text)),
    agents: bank.agents,
    reactions: new Map(
      [...bank.reactions].map(([act, lines]) => [act, lines.filter(({ text }) => keep(text))]),
    ),
  };
}

const ACT_WEIGHTS = {
  calm: {
    ask: 5,
    acting: 2,
    inform: 5,
    solve: 5,
    refuse: 2,
    delay: 2,
    ticket: 1,
    transfer: 1,
    offer: 1,
    apology: 1,
    close: 3,
    deflect: 1,
  },
  upset: {
    ask: 3,
    acting: 2,
    inform: 1,
    solve: 3,
    refuse: 6,
    delay: 4,
    ticket: 3,
    transfer: 2,
    offer: 3,
    apology: 4,
    close: 2,
    deflect: 3,
  },
} as const;

/** Puts single lines together: an opening, then what an agent may do and how this customer may take it. */
export function compose(bank: LineBank, random: Random, id: string): LabelledConversation {
  const conversation: LabelledConversation = {
    id,
    domain: 'composed',
    style: 'composed',
    turns: [],
    labels: [],
  };
  const say = (line: Line, satisfaction: number) => {
    conversation.turns.push({ role: 'customer', text: line.text });
    conversation.labels.push({ sentiment: line.label.sentiment, satisfaction });
  };
  if (random.next() < 0.85) {
    conversation.turns.push({ role: 'agent', text: random.pick(bank.agents.get('greeting') ?? ['Hello.']) });
  }
  const opening = random.pick(bank.openings);
  let stands = opening.label.satisfaction;
  let bad = opening.label.sentiment === 'critical';
  say(opening, stands);
  const rounds = 1 + Math.floor(random.next() * 4);
  for (let round = 0; round < rounds; round += 1) {
    const act = pickWeighted(ACT_WEIGHTS[bad ? 'upset' : 'calm'], random);
    conversation.turns.push({ role: 'agent', text: random.pick(bank.agents.get(act) ?? ['']) });
    const line = pickReaction(bank, act, bad, stands, random);
    if (!line) break;
    stands = follow(stands, line.label);
    if (line.label.sentiment === 'critical') bad = true;
    say(line, Math.round(stands));
  }
  return conversation;
}

function pickReaction(
  bank: LineBank,
  act: string,
  bad: boolean,
  stands: number,
  random: Random,
): Line | undefined {
  const usual = ['refuse', 'delay', 'ticket', 'apology', 'deflect', 'transfer', 'offer'].includes(act);
  const fromAny = random.next() < (usual ? 0.35 : 0.12);
  const pool = (bank.reactions.get(fromAny ? 'any' : act) ?? []).filter(
    ({ after, label }) =>
      (after === 'any' || (after === 'bad') === bad) &&
      // A stray outburst or thanks must fit what was just done.
      !(fromAny && label.sentiment === 'good' && (usual || bad)) &&
      !(fromAny && label.sentiment === 'critical' && act === 'solve'),
  );
  const liking = (line: Line) => {
    if (line.label.sentiment === 'critical') return bad || usual ? 1 : 0.15;
    if (line.label.sentiment === 'good') return bad && act !== 'solve' ? 0.25 : 1;
    return stands < 30 && !line.text.startsWith('~') ? 0.6 : 1;
  };
  const total = pool.reduce((sum, line) => sum + liking(line), 0);
  let left = random.next() * total;
  return pool.find((line) => {
    left -= liking(line);
    return left <= 0;
  });
}

/** How satisfaction moves when a line that stands for a level on its own is said at another level. */
function follow(stands: number, { sentiment, satisfaction }: TurnScore): number {
  if (sentiment === 'critical')
    return Math.max(3, Math.min(satisfaction, 0.65 * satisfaction + 0.35 * (stands - 6)));
  if (sentiment === 'good') return stands < 40 ? 0.8 * satisfaction + 0.2 * stands : satisfaction;
  return stands < 50 ? Math.min(satisfaction, stands + 6) : 0.4 * stands + 0.6 * satisfaction;
}

function pickWeighted<K extends string>(weights: Readonly<Record<K, number>>, random: Random): K {
  const entries = Object.entries(weights) as [K, number][];
  let left = random.next() * entries.reduce((sum, [, weight]) => sum + weight, 0);
  for (const [name, weight] of entries) {
    left -= weight;
    if (left <= 0) return name;
  }
  return (entries[0] as [K, number])[0];
}

/** The same conversation as a transcriber or a hasty typist would give it. */
export function asPlainSpeech(
  conversation: LabelledConversation,
  random: Random,
  suffix = 'plain',
): LabelledConversation {
  return {
    ...conversation,
    id: `${conversation.id}/${suffix}`,
    written: conversation.turns.map(({ text }) => text),
    turns: conversation.turns.map(({ role, text }) => {
      const plain = text
        .toLowerCase()
        .replace(/['\u2019]/g, '')
        .replace(/[^\p{L}\d#\s]+/gu, ' ')
        .replace(/\s+/g, ' ')
        .trim();
      const words = plain.split(' ');
      const spoken = words.flatMap((word, at) => {
        if (role === 'customer' && random.next() < 0.03)
          return [random.pick(['um', 'uh', 'like', 'you know', 'well']), word];
        if (role === 'customer' && word.length > 4 && random.next() < 0.04) return [typo(word, random)];
        return at > 0 && random.next() < 0.01 ? [word, word] : [word];
      });
      return { role, text: spoken.join(' ') || text };
    }),
  };
}

function typo(word: string, random: Random): string {
  const at = 1 + Math.floor(random.next() * (word.length - 2));
  return random.next() < 0.5
    ? word.slice(0, at) + word.slice(at + 1)
    : word.slice(0, at) + word.charAt(at + 1) + word.charAt(at) + word.slice(at + 2);
}
