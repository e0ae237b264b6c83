import { conversationKey, RecentMap } from './conversation-key.ts';
import { parseScores } from './model-answer.ts';
import {
  buildMessages,
  buildScoringRequest,
  SCORE_RESPONSE_FORMAT,
  type ScoringRequest,
} from './model-request.ts';
import type { ConversationScorer, ScoreOptions, Turn, TurnScore } from './types.ts';

export interface ModelScorerOptions {
  apiKey: string;
  /** Base of an OpenAI-compatible API, with its `/v1`. */
  baseUrl?: string | undefined;
  model: string;
  /**
   * The body of `prompts/en/score_conversation.md`. `{{conversation}}` and `{{customer_turns}}` are filled here;
   * what stands below the line `=== Conversation ===` goes in as the user's message.
   */
  prompt: string;
  /** Answers whenever the model does not: too late, unreachable, or not to be understood. */
  fallback: ConversationScorer;
  /** How long `score` waits for the model; the default leaves a 5 s tick time to write its row. */
  timeoutMs?: number;
  /** How long a request may go on after that, so that a slow model's answer serves the next tick. */
  requestTimeoutMs?: number;
  onFallback?: (reason: ModelScorerFailure) => void;
}

export type ModelScorerFailure = 'timeout' | 'unreachable' | 'http_error' | 'unusable_answer';

const DEFAULT_BASE_URL = 'https://api.openai.com/v1';
const DEFAULT_TIMEOUT_MS = 3_800;
const DEFAULT_REQUEST_TIMEOUT_MS = 20_000;
/** Scores of turns, not conversations: a few numbers each. */
const REMEMBERED_TURNS = 10_000;

type Outcome = { ok: true } | { ok: false; reason: ModelScorerFailure };

/**
 * Scores with a language model and takes the device scorer's word wherever the model's is missing. Both use the
 * same labels and the same 0-100 scale, so one may follow the other within an interaction. A turn that the model
 * has scored is not asked for again; asking twice for the same conversation makes one request.
 */
export function createModelScorer(options: ModelScorerOptions): ConversationScorer {
  const known = new RecentMap<TurnScore>(REMEMBERED_TURNS);
  const underWay = new Map<string, Promise<Outcome>>();

  const ask = async (turns: readonly Turn[], keys: readonly string[], signal: AbortSignal | undefined) => {
    const request = buildScoringRequest(
      turns,
      keys.map((key) => known.get(key)),
    );
    const answer = await requestScores(options, request, signal);
    if (!answer.ok) return answer;
    for (const [turn, score] of answer.scores) {
      const key = keys[turn - 1];
      if (key) known.set(key, score);
    }
    return { ok: true } as const;
  };

  return {
    kind: 'model',
    async score(turns: readonly Turn[], { signal }: ScoreOptions = {}): Promise<TurnScore[]> {
      const device = await options.fallback.score(turns);
      const keys = customerTurnKeys(turns);
      const last = keys.at(-1);
      if (last === undefined) return device;
      if (!known.get(last)) {
        let asked = underWay.get(last);
        if (!asked) {
          asked = ask(turns, keys, signal).finally(() => underWay.delete(last));
          underWay.set(last, asked);
        }
        const outcome = await withinTime(asked, options.timeoutMs ?? DEFAULT_TIMEOUT_MS);
        signal?.throwIfAborted();
        if (!outcome.ok) options.onFallback?.(outcome.reason);
      }
      return device.map((score, at) => known.get(keys[at] ?? '') ?? score);
    },
  };
}

function customerTurnKeys(turns: readonly Turn[]): string[] {
  const keys: string[] = [];
  let key = '';
  for (const turn of turns) {
    key = conversationKey(key, turn);
    if (turn.role === 'customer') keys.push(key);
  }
  return keys;
}

async function withinTime(outcome: Promise<Outcome>, timeoutMs: number): Promise<Outcome> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<Outcome>((resolve) => {
    timer = setTimeout(() => resolve({ ok: false, reason: 'timeout' }), timeoutMs);
  });
  try {
    return await Promise.race([outcome, late]);
  } finally {
    clearTimeout(timer);
  }
}

type Answer = { ok: true; scores: Map<number, TurnScore> } | { ok: false; reason: ModelScorerFailure };

async function requestScores(
  options: ModelScorerOptions,
  request: ScoringRequest,
  signal: AbortSignal | undefined,
): Promise<Answer> {
  const limit = AbortSignal.timeout(options.requestTimeoutMs ?? DEFAULT_REQUEST_TIMEOUT_MS);
  const url = `${(options.baseUrl ?? DEFAULT_BASE_URL).replace(/\/+$/, '')}/chat/completions`;
  const send = (extra: object) =>
    fetch(url, {
      method: 'POST',
      headers: { 'content-type': 'application/json', authorization: `Bearer ${options.apiKey}` },
      body: JSON.stringify({
        model: options.model,
        messages: buildMessages(options.prompt, request),
        ...extra,
      }),
      signal: signal ? AbortSignal.any([limit, signal]) : limit,
    });
  try {
    let response = await send({ response_format: SCORE_RESPONSE_FORMAT });
    if (response.status === 400 || response.status === 422) {
      // Compatible servers without structured output say so with these; the prompt alone asks for JSON too.
      await response.body?.cancel();
      response = await send({});
    }
    const body = await response.text();
    if (!response.ok) return { ok: false, reason: 'http_error' };
    const scores = parseScores(body, request);
    return scores ? { ok: true, scores } : { ok: false, reason: 'unusable_answer' };
  } catch {
    return { ok: false, reason: limit.aborted ? 'timeout' : 'unreachable' };
  }
}
