import type { Sentiment, Turn, TurnScore } from '../../src/scoring/types.ts';

/** A conversation with what a careful reader gave each customer turn. */
export interface LabelledConversation {
  id: string;
  domain: string;
  style: string;
  turns: Turn[];
  /** One per customer turn. */
  labels: TurnScore[];
  /** The turns' texts as they were written, where `turns` has them changed. */
  written?: string[];
}

const SENTIMENT_SIGNS: Record<string, Sentiment> = { '+': 'good', '=': 'neutral', '-': 'critical' };

/**
 * Reads the format in which conversations are written down for training and for tests: `== id | domain | style`
 * begins one, `>` is the agent, `+75`, `=60`, `-30` a customer turn with its label. Throws with the line's number.
 */
export function readConversations(text: string, source: string): LabelledConversation[] {
  const conversations: LabelledConversation[] = [];
  text.split('\n').forEach((line, index) => {
    if (line.trim() === '' || line.startsWith('# ')) return;
    const header = /^== ([^|]+) \| ([^|]+) \| (.+)$/.exec(line);
    if (header) {
      const [, id = '', domain = '', style = ''] = header;
      conversations.push({ id, domain, style, turns: [], labels: [] });
      return;
    }
    const current = conversations.at(-1);
    const customer = readLabelledLine(line);
    if (current && customer) {
      current.turns.push({ role: 'customer', text: customer.text });
      current.labels.push(customer.label);
    } else if (current && line.startsWith('> ')) {
      current.turns.push({ role: 'agent', text: line.slice(2) });
    } else {
      throw new Error(`${source}:${index + 1}: not a line of a conversation: ${line}`);
    }
  });
  return conversations;
}

/** `+75 text` and the like; the optional `~` or `^` in front limits where a composed conversation may use the line. */
export function readLabelledLine(
  line: string,
): { text: string; label: TurnScore; after: 'any' | 'bad' | 'fine' } | undefined {
  const [, limit, sign, satisfaction, text] = /^([~^]?)([-+=])(\d+) (.+)$/.exec(line) ?? [];
  const sentiment = sign ? SENTIMENT_SIGNS[sign] : undefined;
  if (!sentiment || !text) return undefined;
  return {
    text,
    label: { sentiment, satisfaction: Number(satisfaction) },
    after: limit === '~' ? 'bad' : limit === '^' ? 'fine' : 'any',
  };
}
