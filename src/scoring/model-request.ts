import type { Turn, TurnScore } from './types.ts';

/** What a model is asked: the conversation with numbered customer turns, and which of them it is to score. */
export interface ScoringRequest {
  conversation: string;
  /** 1-based numbers of customer turns. */
  firstTurn: number;
  lastTurn: number;
}

/** A support conversation rarely needs more; of a longer one the model sees the end. */
const MAX_CHARACTERS = 24_000;
const MAX_TURN_CHARACTERS = 4_000;

/**
 * Numbers the customer's turns as the model is to name them. Turns that were scored before carry their score, so
 * that the model carries on from it instead of judging them anew.
 */
export function buildScoringRequest(
  turns: readonly Turn[],
  scored: readonly (TurnScore | undefined)[],
): ScoringRequest {
  let customerTurn = 0;
  const lines = turns.map(({ role, text }) => {
    // JSON strings keep a text in its line, whatever it contains.
    const said = JSON.stringify(text.slice(0, MAX_TURN_CHARACTERS));
    if (role === 'agent') return { customerTurn: 0, line: `AGENT: ${said}` };
    customerTurn += 1;
    const score = scored[customerTurn - 1];
    const known = score ? ` (scored before: ${score.sentiment}, ${score.satisfaction})` : '';
    return { customerTurn, line: `CUSTOMER [turn ${customerTurn}]: ${said}${known}` };
  });
  let start = lines.length;
  for (let length = 0; start > 0; start -= 1) {
    length += (lines[start - 1]?.line.length ?? 0) + 1;
    if (length > MAX_CHARACTERS && start < lines.length) break;
  }
  const shown = lines.slice(start);
  const firstShown = shown.find((line) => line.customerTurn > 0)?.customerTurn ?? customerTurn;
  const firstUnscored = scored.indexOf(undefined) + 1 || customerTurn;
  const omitted = start > 0 ? `(the first ${start} turns are left out)\n` : '';
  return {
    conversation: omitted + shown.map(({ line }) => line).join('\n'),
    firstTurn: Math.max(firstShown, firstUnscored),
    lastTurn: customerTurn,
  };
}

/** Above this line of the prompt is the system's message, below it the user's. */
const USER_PART = /^=== Conversation ===$/m;

/** The rubric goes in as the system's word and the conversation as the user's, so that nothing said in it gives orders. */
export function buildMessages(
  prompt: string,
  request: ScoringRequest,
): { role: 'system' | 'user'; content: string }[] {
  const { firstTurn, lastTurn, conversation } = request;
  const turns = firstTurn === lastTurn ? `${lastTurn}` : `${firstTurn} to ${lastTurn}`;
  const fill = (text: string) =>
    text
      .replaceAll(/\{\{\s*customer_turns\s*\}\}/g, turns)
      .replaceAll(/\{\{\s*conversation\s*\}\}/g, () => conversation)
      .trim();
  const [rubric = '', material = 'Score customer turns {{customer_turns}}.\n\n{{conversation}}'] =
    prompt.split(USER_PART);
  return [
    { role: 'system', content: fill(rubric) },
    { role: 'user', content: fill(material) },
  ];
}

/** The structured-output form of the answer; a server that does not know it still has the form in the prompt. */
export const SCORE_RESPONSE_FORMAT = {
  type: 'json_schema',
  json_schema: {
    name: 'conversation_scores',
    strict: true,
    schema: {
      type: 'object',
      additionalProperties: false,
      required: ['situation', 'scores'],
      properties: {
        situation: { type: 'string' },
        scores: {
          type: 'array',
          items: {
            type: 'object',
            additionalProperties: false,
            required: ['turn', 'reading', 'sentiment', 'satisfaction'],
            properties: {
              turn: { type: 'integer' },
              reading: { type: 'string' },
              sentiment: { type: 'string', enum: ['good', 'neutral', 'critical'] },
              satisfaction: { type: 'integer' },
            },
          },
        },
      },
    },
  },
} as const;
