import { jsonrepair } from 'jsonrepair';
import { z } from 'zod';
import type { ConversationScorer, ScoreOptions, Turn, TurnScore } from './types.ts';

export interface ModelScorerOptions {
  apiKey: string;
  /** Base of an OpenAI-compatible API, with its `/v1`. */
  baseUrl?: string | undefined;
  model: string;
  /** The text of `prompts/score_conversation.md`; `{{conversation}}` and `{{customer_turns}}` are filled here. */
  prompt: string;
  /** Answers whenever the model does not: too late, unreachable, or not to be understood. */
  fallback: ConversationScorer;
  /** Includes reading the whole answer. Short of the 5 s tick, so that a late model never costs a row. */
  timeoutMs?: number;
  onFallback?: (reason: ModelScorerFailure) => void;
}

export type ModelScorerFailure = 'timeout' | 'unreachable' | 'http_error' | 'unusable_answer';

const DEFAULT_BASE_URL = 'https://api.openai.com/v1';
const DEFAULT_TIMEOUT_MS = 4_000;
/** A support conversation rarely needs more; older turns are cut and keep the scores they had. */
const MAX_CHARACTERS = 24_000;

const completionSchema = z.object({
  choices: z.array(z.object({ message: z.object({ content: z.string().nullish() }) })).min(1),
});

/** Lenient where models are known to stray (strings for numbers, other words for the same label), strict otherwise. */
const scoreSchema = z.object({
  turn: z.coerce.number().int().positive(),
  sentiment: z
    .string()
    .transform((label) => SENTIMENT_SYNONYMS[label.trim().toLowerCase()])
    .pipe(z.enum(['good', 'neutral', 'critical'])),
  satisfaction: z.coerce.number().finite(),
});
const answerSchema = z.object({ scores: z.array(scoreSchema).min(1) });

const SENTIMENT_SYNONYMS: Record<string, string | undefined> = {
  good: 'good',
  positive: 'good',
  neutral: 'neutral',
  mixed: 'neutral',
  critical: 'critical',
  negative: 'critical',
  bad: 'critical',
};

/** The structured-output form of the answer; servers that do not know it are still told by the prompt. */
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
              satisfaction: { type: 'integer', minimum: 0, maximum: 100 },
            },
          },
        },
      },
    },
  },
} as const;

/**
 * Scores with a language model and takes the device scorer's word wherever the model's is missing.
 * Both use the same labels and the same 0-100 scale, so one may follow the other within an interaction.
 */
export function createModelScorer(options: ModelScorerOptions): ConversationScorer {
  return {
    kind: 'model',
    async score(turns: readonly Turn[], { signal }: ScoreOptions = {}): Promise<TurnScore[]> {
      const device = await options.fallback.score(turns);
      if (device.length === 0) return device;
      const view = renderConversation(turns);
      const answer = await askModel(options, view, signal);
      if (!answer.ok) {
        signal?.throwIfAborted();
        options.onFallback?.(answer.reason);
        return device;
      }
      return mergeScores(device, answer.scores);
    },
  };
}

interface ConversationView {
  text: string;
  /** 1-based numbers of the customer turns that the model sees. */
  firstTurn: number;
  lastTurn: number;
}

/** Numbers the customer's turns as the model is to name them, and drops the oldest turns of a very long conversation. */
export function renderConversation(turns: readonly Turn[], maxCharacters = MAX_CHARACTERS): ConversationView {
  let customerTurn = 0;
  const lines = turns.map(({ role, text }) => {
    const said = JSON.stringify(text.length > maxCharacters / 4 ? text.slice(0, maxCharacters / 4) : text);
    if (role === 'agent') return { number: 0, line: `AGENT: ${said}` };
    customerTurn += 1;
    return { number: customerTurn, line: `CUSTOMER [turn ${customerTurn}]: ${said}` };
  });
  let start = lines.length;
  let length = 0;
  while (start > 0) {
    length += (lines[start - 1]?.line.length ?? 0) + 1;
    if (length > maxCharacters && start < lines.length) break;
    start -= 1;
  }
  const shown = lines.slice(start);
  const firstTurn = shown.find(({ number }) => number > 0)?.number ?? customerTurn + 1;
  const omitted = start > 0 ? `(${start} earlier turns are left out)\n` : '';
  return { text: omitted + shown.map(({ line }) => line).join('\n'), firstTurn, lastTurn: customerTurn };
}

type ModelAnswer = { ok: true; scores: Map<number, TurnScore> } | { ok: false; reason: ModelScorerFailure };

async function askModel(
  options: ModelScorerOptions,
  view: ConversationView,
  signal: AbortSignal | undefined,
): Promise<ModelAnswer> {
  const limit = AbortSignal.timeout(options.timeoutMs ?? DEFAULT_TIMEOUT_MS);
  const url = `${(options.baseUrl ?? DEFAULT_BASE_URL).replace(/\/+$/, '')}/chat/completions`;
  let body: string;
  try {
    const response = await fetch(url, {
      method: 'POST',
      headers: { 'content-type': 'application/json', authorization: `Bearer ${options.apiKey}` },
      body: JSON.stringify({
        model: options.model,
        temperature: 0,
        messages: buildMessages(options.prompt, view),
        response_format: SCORE_RESPONSE_FORMAT,
      }),
      signal: signal ? AbortSignal.any([limit, signal]) : limit,
    });
    body = await response.text();
    if (!response.ok) return { ok: false, reason: 'http_error' };
  } catch {
    return { ok: false, reason: limit.aborted ? 'timeout' : 'unreachable' };
  }
  const scores = parseAnswer(body, view);
  return scores ? { ok: true, scores } : { ok: false, reason: 'unusable_answer' };
}

/** The rubric goes in as the system's word and the conversation as the user's, so that nothing said in it gives orders. */
function buildMessages(prompt: string, view: ConversationView) {
  const turns =
    view.firstTurn === view.lastTurn ? `${view.lastTurn}` : `${view.firstTurn} to ${view.lastTurn}`;
  const fill = (text: string) =>
    text
      .replaceAll(/\{\{\s*customer_turns\s*\}\}/g, turns)
      .replaceAll(/\{\{\s*conversation\s*\}\}/g, () => view.text);
  const [rubric = '', material] = prompt.split(/^---8<---$/m);
  if (material === undefined) {
    return [
      { role: 'system', content: fill(rubric.trim()) },
      { role: 'user', content: `Score customer turns ${turns}.\n\n${view.text}` },
    ];
  }
  return [
    { role: 'system', content: fill(rubric.trim()) },
    { role: 'user', content: fill(material.trim()) },
  ];
}

/** Reads the scores out of a completion; undefined when fewer than half of the turns came back usable. */
export function parseAnswer(body: string, view: ConversationView): Map<number, TurnScore> | undefined {
  const completion = completionSchema.safeParse(parseLoosely(body));
  const content = completion.data?.choices[0]?.message.content;
  if (!content) return undefined;
  const parsed = parseLoosely(stripFence(content));
  const candidate = Array.isArray(parsed) ? { scores: parsed } : parsed;
  const rows = z.object({ scores: z.array(z.unknown()) }).safeParse(candidate);
  if (!rows.success) return undefined;
  const usable = rows.data.scores.flatMap((row) => {
    const result = scoreSchema.safeParse(row);
    return result.success ? [result.data] : [];
  });
  if (!answerSchema.shape.scores.safeParse(usable).success) return undefined;
  const wanted = view.lastTurn - view.firstTurn + 1;
  const inUnitScale =
    usable.length > 1 && usable.every(({ satisfaction }) => satisfaction >= 0 && satisfaction <= 1);
  const scores = new Map<number, TurnScore>();
  for (const { turn, sentiment, satisfaction } of usable) {
    if (turn < view.firstTurn || turn > view.lastTurn) continue;
    const scaled = inUnitScale ? satisfaction * 100 : satisfaction;
    scores.set(turn, { sentiment, satisfaction: Math.round(Math.min(100, Math.max(0, scaled))) });
  }
  return scores.size * 2 >= wanted && scores.has(view.lastTurn) ? scores : undefined;
}

function stripFence(content: string): string {
  const fenced = /```(?:json)?\s*([\s\S]*?)```/.exec(content)?.[1] ?? content;
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

function mergeScores(device: readonly TurnScore[], model: ReadonlyMap<number, TurnScore>): TurnScore[] {
  return device.map((score, index) => model.get(index + 1) ?? score);
}
