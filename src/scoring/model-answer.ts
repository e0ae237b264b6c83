import { jsonrepair } from 'jsonrepair';
import { z } from 'zod';
import type { ScoringRequest } from './model-request.ts';
import type { Sentiment, TurnScore } from './types.ts';

const completionSchema = z.object({
  choices: z.array(z.object({ message: z.object({ content: z.string().nullish() }) })).min(1),
});

/** Words that models use for the three labels. */
const SENTIMENT_WORDS: Readonly<Record<string, Sentiment | undefined>> = {
  good: 'good',
  positive: 'good',
  happy: 'good',
  neutral: 'neutral',
  mixed: 'neutral',
  critical: 'critical',
  negative: 'critical',
  bad: 'critical',
};

/** Lenient where models are known to stray: numbers as text, "85%", other words for a label. Strict otherwise. */
const numberLike = z
  .union([z.number(), z.string().regex(/^\s*-?\d+(\.\d+)?\s*(%|\/\s*100)?\s*$/)])
  .transform((value) => (typeof value === 'number' ? value : Number.parseFloat(value)))
  .pipe(z.number());
const scoreSchema = z.object({
  turn: numberLike.pipe(z.number().int().positive()),
  sentiment: z
    .string()
    .transform((word) => SENTIMENT_WORDS[word.trim().toLowerCase()])
    .pipe(z.enum(['good', 'neutral', 'critical'])),
  satisfaction: numberLike,
});
const answerSchema = z.object({ scores: z.array(z.unknown()) });

/**
 * Reads the scores, by number of the customer turn, out of a completion's body. Rows that can't be used are left
 * out; undefined when the newest turn is missing or fewer than half of the turns asked for came back.
 */
export function parseScores(body: string, request: ScoringRequest): Map<number, TurnScore> | undefined {
  const completion = completionSchema.safeParse(parseLoosely(body));
  const content = completion.data?.choices[0]?.message.content;
  if (!content) return undefined;
  const parsed = parseLoosely(withoutFence(content));
  const answer = answerSchema.safeParse(Array.isArray(parsed) ? { scores: parsed } : parsed);
  if (!answer.success) return undefined;
  const rows = answer.data.scores.flatMap((row) => {
    const { data } = scoreSchema.safeParse(row);
    return data && data.turn >= request.firstTurn && data.turn <= request.lastTurn ? [data] : [];
  });
  // A model that answers with 0.35 means 35; a single 1 or 0 stays what it says.
  const unitScale =
    rows.every(({ satisfaction }) => satisfaction <= 1) &&
    rows.some(({ satisfaction }) => satisfaction % 1 > 0);
  const scores = new Map<number, TurnScore>();
  for (const { turn, sentiment, satisfaction } of rows) {
    const scaled = unitScale ? satisfaction * 100 : satisfaction;
    scores.set(turn, { sentiment, satisfaction: Math.round(Math.min(100, Math.max(0, scaled))) });
  }
  const wanted = request.lastTurn - request.firstTurn + 1;
  return scores.has(request.lastTurn) && scores.size * 2 >= wanted ? scores : undefined;
}

/** Models put JSON into code fences or say a sentence before it. */
function withoutFence(content: string): string {
  const fenced = /```(?:json)?\s*([\s\S]*?)(?:```|$)/.exec(content)?.[1] ?? content;
  const start = fenced.search(/[[{]/);
  return start > 0 ? fenced.slice(start) : fenced;
}

function parseLoosely(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    try {
      return JSON.parse(jsonrepair(text));
    } catch {
      return undefined;
    }
  }
}
