import { llm } from '@livekit/agents';
import { jsonrepair } from 'jsonrepair';
import { z } from 'zod';
import type { PromptBook } from '../definitions/prompts.ts';
import type { Log } from '../log.ts';
import { type Clock, within } from './clock.ts';
import type { ConversationItem } from './conversation.ts';

const status = z.enum(['resolved', 'unresolved']);
const tagName = z
  .string()
  .transform((text) =>
    text
      .trim()
      .toLowerCase()
      .replace(/[^\p{L}\p{N}]+/gu, '_')
      .replace(/^_+|_+$/g, ''),
  )
  .pipe(z.string().min(1).max(60));

/** The model's part of an archive, in the JSON forms of the `interaction_archives` columns. */
export const wrapUpSchema = z.object({
  summary: z.string().trim().min(1).max(4_000),
  issues: z
    .array(
      z.object({
        issue: z.string().trim().min(1).max(300),
        status,
        priority: z.enum(['low', 'medium', 'high']).catch('medium'),
      }),
    )
    .max(20),
  tags: z.object({
    topics: z.array(tagName).max(10).catch([]),
    sentiment: z.enum(['good', 'neutral', 'critical']),
    issues: z.array(z.object({ tag: tagName, status })).max(20),
    new_issue_tags: z.array(tagName).max(10).catch([]),
  }),
  csat_score: z.number().min(0).max(100),
});

export type WrapUp = z.output<typeof wrapUpSchema>;

export interface Vocabulary {
  readonly topics: readonly string[];
  readonly issues: readonly string[];
}

export interface WrapUpDeps {
  readonly model: llm.LLM;
  readonly prompts: PromptBook;
  readonly vocabulary: Vocabulary;
  readonly timeoutMs: number;
  readonly clock: Clock;
  readonly log: Log;
}

export interface WrapUpFacts {
  readonly businessName: string;
  readonly channel: string;
  readonly language: string;
  readonly facts: string;
  readonly transcript: string;
}

const ATTEMPTS = 2;

/**
 * Asks the model to file a finished conversation. The archive exists already with its facts, so a model that
 * fails, hangs or writes nonsense costs the summary only.
 *
 * @returns undefined when no usable answer was to be had.
 */
export async function summarise(facts: WrapUpFacts, deps: WrapUpDeps): Promise<WrapUp | undefined> {
  const { prompts, vocabulary, log } = deps;
  const prompt = prompts.render('wrap_up', {
    business_name: facts.businessName,
    channel: facts.channel,
    language: facts.language,
    topics: vocabulary.topics.join(', ') || '(none yet)',
    issue_tags: vocabulary.issues.join(', ') || '(none yet)',
    facts: facts.facts,
    transcript: facts.transcript,
  });
  let correction = '';
  for (let attempt = 1; attempt <= ATTEMPTS; attempt += 1) {
    const text = await ask(prompt + correction, deps);
    if (text === undefined) continue;
    const parsed = readWrapUp(text);
    if (parsed.ok) return withinVocabulary(parsed.wrapUp, vocabulary);
    log.warn({ attempt, problem: parsed.problem }, 'the wrap-up of the model could not be used');
    correction = `\n\nYour last answer could not be used: ${parsed.problem}\nAnswer again, with the JSON object only.`;
  }
  return undefined;
}

function readWrapUp(text: string): { ok: true; wrapUp: WrapUp } | { ok: false; problem: string } {
  try {
    const begin = text.indexOf('{');
    if (begin < 0) return { ok: false, problem: 'there is no JSON object in it' };
    const parsed = wrapUpSchema.safeParse(JSON.parse(jsonrepair(withoutFence(text.slice(begin)))));
    return parsed.success
      ? { ok: true, wrapUp: parsed.data }
      : { ok: false, problem: z.prettifyError(parsed.error) };
  } catch {
    return { ok: false, problem: 'it is not JSON' };
  }
}

/** A code fence's end and whatever comes after it; an answer that was cut off has none, and is repaired. */
function withoutFence(text: string): string {
  const fence = text.indexOf('```');
  return fence < 0 ? text : text.slice(0, fence);
}

/** Topics are the business's own list; an issue tag outside its list counts as new, whether the model said so or not. */
function withinVocabulary(wrapUp: WrapUp, vocabulary: Vocabulary): WrapUp {
  const used = wrapUp.tags.issues.map((issue) => issue.tag);
  return {
    ...wrapUp,
    tags: {
      ...wrapUp.tags,
      topics: wrapUp.tags.topics.filter((topic) => vocabulary.topics.includes(topic)),
      new_issue_tags: [...new Set(used)].filter((tag) => !vocabulary.issues.includes(tag)),
    },
  };
}

async function ask(prompt: string, deps: WrapUpDeps): Promise<string | undefined> {
  const chatCtx = new llm.ChatContext([llm.ChatMessage.create({ role: 'user', content: prompt })]);
  const stream = deps.model.chat({
    chatCtx,
    connOptions: { maxRetry: 1, retryIntervalMs: 1_000, timeoutMs: deps.timeoutMs },
  });
  const collect = async (): Promise<string> => {
    let text = '';
    for await (const chunk of stream) text += chunk.delta?.content ?? '';
    return text;
  };
  try {
    const text = await within(deps.clock, deps.timeoutMs, collect());
    if (text) return text;
    deps.log.warn({ timedOut: text === undefined }, 'the model gave no wrap-up');
  } catch (err) {
    deps.log.warn({ err }, 'the model gave no wrap-up');
  } finally {
    stream.close();
  }
  return undefined;
}

/** The transcript as the wrap-up reads it: one line a turn, the newest part where it is too long for a model. */
export function transcriptText(items: readonly ConversationItem[], limit = 60_000): string {
  const names = { customer: 'Customer', agent: 'Agent', supervisor: 'Human colleague', system: 'System' };
  const lines = items.flatMap((item) =>
    item.kind === 'said' ? [`${names[item.role]}: ${item.text.replace(/\s+/g, ' ')}`] : [],
  );
  const text = lines.join('\n');
  return text.length > limit ? `(beginning left out)\n${text.slice(-limit)}` : text;
}
