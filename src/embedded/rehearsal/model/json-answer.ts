import type { ChatRequest } from './request.ts';
import { matterOf, says } from './understanding.ts';

interface Line {
  readonly role: 'customer' | 'agent';
  readonly text: string;
}

/** An answer in JSON when the request asks for one (wrap-up or scoring), else undefined. */
export function answerInJson(request: ChatRequest): unknown {
  const text = request.messages.map(({ content }) => content).join('\n');
  const format = request.response_format?.type;
  const asked =
    format === 'json_schema' ||
    format === 'json_object' ||
    (request.tools === undefined &&
      // Only where instructions stand: a customer who says so does not make the agent speak JSON.
      /\b(?:answer|reply|respond) with (?:one|a|only|nothing but)?\s*(?:strict |valid )?JSON\b/i.test(
        request.messages[0]?.content ?? '',
      ));
  if (!asked) return undefined;
  const wantsWrapUp = /csat_score|"summary"/.test(text + JSON.stringify(request.response_format ?? {}));
  return wantsWrapUp ? wrapUp(text) : scores(text);
}

/** Reads "customer: …" lines in the forms that the prompts use; the words may be quoted as JSON. */
function transcriptIn(text: string): Line[] {
  const lines: Line[] = [];
  for (const line of text.split('\n')) {
    const found =
      /^\s*(?:\[[^\]]*\]\s*|\d+[.)]\s*|[-*]\s*)?(customer|caller|user|agent|assistant|supervisor|human colleague)\b\s*(?:[[(][^\])]*[\])])?\s*:\s*(.+)$/i.exec(
        line,
      );
    const speaker = found?.[1]?.toLowerCase();
    const words = found?.[2]?.trim() ?? '';
    if (speaker === undefined || words === '') continue;
    lines.push({ role: /customer|caller|user/.test(speaker) ? 'customer' : 'agent', text: unquote(words) });
  }
  return lines;
}

function unquote(words: string): string {
  try {
    const value: unknown = JSON.parse(words);
    return typeof value === 'string' ? value : words;
  } catch {
    return words;
  }
}

type Mood = 'good' | 'neutral' | 'critical';

/** A crude mood: enough to show numbers that move with the conversation. */
function moods(turns: readonly string[]): { mood: Mood; satisfaction: number }[] {
  let satisfaction = 60;
  return turns.map((text) => {
    const bad =
      says('upset', text) ||
      /\b(?:still|again|broken|late|wrong|never|no one|waiting|damaged)\b|!{2,}/i.test(text);
    const good = says('thanks', text) && !bad;
    satisfaction = Math.max(5, Math.min(95, satisfaction + (bad ? -20 : good ? 15 : 0)));
    return { mood: bad ? 'critical' : good ? 'good' : 'neutral', satisfaction };
  });
}

function scores(text: string): object {
  const turns = transcriptIn(text).filter(({ role }) => role === 'customer');
  const numbers = [...text.matchAll(/^CUSTOMER \[turn (\d+)\]/gm)].map((match) => Number(match[1]));
  const results = moods(turns.map((turn) => turn.text));
  return {
    situation: 'Read by the rehearsal model, a script.',
    scores: results.map(({ mood, satisfaction }, index) => ({
      turn: numbers[index] ?? index + 1,
      reading: 'Judged by a few words only.',
      sentiment: mood,
      satisfaction,
    })),
  };
}

const ISSUES: Record<string, { issue: string; tag: string; priority: string; topic: string }> = {
  refund: { issue: 'Wants a refund', tag: 'refund_request', priority: 'high', topic: 'refunds' },
  cancel: { issue: 'Wants to cancel an order', tag: 'cancellation', priority: 'medium', topic: 'orders' },
  track: { issue: 'Asks where a parcel is', tag: 'delivery_status', priority: 'low', topic: 'shipping' },
  'look up': { issue: 'Asks about an order', tag: 'order_question', priority: 'low', topic: 'orders' },
};

function wrapUp(text: string): object {
  const [instructions = '', material = text] = text.split(/^Transcript:\s*$/m);
  const lines = transcriptIn(material);
  const customer = lines.filter(({ role }) => role === 'customer').map((line) => line.text);
  const agent = lines.filter(({ role }) => role === 'agent').map((line) => line.text);
  const matters = [...new Set(customer.map(matterOf).filter((matter) => matter !== undefined))];
  const resolved = agent.some((words) =>
    /went through|is cancelled|here is what i see|i found your order/i.test(words),
  );
  const refused = agent.some((words) => /not allowed to|could not|can't tell yet/i.test(words));
  const status = resolved && !refused ? 'resolved' : 'unresolved';
  const wanted =
    matters.length === 0 ? 'wrote without a clear request' : `asked about: ${matters.join(', ')}`;
  const results = moods(customer);
  const satisfaction = (results.at(-1)?.satisfaction ?? 60) + (status === 'resolved' ? 15 : -15);
  const tags = matters.map((matter) =>
    choose(instructions, 'tag', ISSUES[matter]?.tag ?? 'order_question', matter),
  );
  return {
    summary: `The customer ${wanted}. It ended ${status}. (Summary by the rehearsal model, a script.)`,
    issues: matters.map((matter) => ({
      issue: ISSUES[matter]?.issue,
      status,
      priority: ISSUES[matter]?.priority,
    })),
    tags: {
      topics: [
        ...new Set(
          matters.flatMap((matter) => topicsFor(instructions, ISSUES[matter]?.topic ?? 'orders', matter)),
        ),
      ],
      sentiment: results.at(-1)?.mood ?? 'neutral',
      issues: tags.map(({ name }) => ({ tag: name, status })),
      new_issue_tags: tags.filter(({ isNew }) => isNew).map(({ name }) => name),
    },
    csat_score: Math.max(0, Math.min(100, satisfaction)),
  };
}

/** The list that a prompt gives after "choose from this list…:", in lower case. */
function listed(instructions: string, what: string): string[] {
  const found =
    new RegExp(`${what}[^\\n]*?choose from this list[^:\\n]*:([^\\n]*)`, 'i').exec(instructions)?.[1] ?? '';
  return (found.split(/\.(?:\s|$)/)[0] ?? '')
    .split(',')
    .map((name) => name.trim())
    .filter((name) => /^[\w -]+$/.test(name));
}

const RELATED: Record<string, RegExp> = {
  refund: /refund|return/,
  cancel: /cancel/,
  track: /deliver|ship|parcel|late/,
  'look up': /order/,
};

function choose(
  instructions: string,
  what: string,
  fallback: string,
  matter: string,
): { name: string; isNew: boolean } {
  const names = listed(instructions, what);
  const name =
    names.find((candidate) => candidate === fallback) ??
    names.find((candidate) => RELATED[matter]?.test(candidate));
  return name === undefined ? { name: fallback, isNew: true } : { name, isNew: false };
}

function topicsFor(instructions: string, fallback: string, matter: string): string[] {
  const { name, isNew } = choose(instructions, '"topics"', fallback, matter);
  const names = listed(instructions, '"topics"');
  return isNew && names.length > 0 ? [] : [name];
}
