import type { Client } from '@modelcontextprotocol/sdk/client/index.js';
import {
  type ClientCapabilities,
  type CreateMessageRequest,
  CreateMessageRequestSchema,
  ElicitRequestSchema,
  ErrorCode,
  ListRootsRequestSchema,
  type LoggingMessageNotification,
  LoggingMessageNotificationSchema,
  McpError,
  ToolListChangedNotificationSchema,
} from '@modelcontextprotocol/sdk/types.js';
import { z } from 'zod';
import { mapStrings } from './result-text.ts';
import type { CallPeer, JsonObject, ToolQuestion } from './types.ts';

const MAX_SAMPLED_MESSAGES = 20;
const MAX_SAMPLED_CHARS = 20_000;
const MAX_SAMPLED_TOKENS = 500;
const MAX_SAMPLES_A_CALL = 3;
const MAX_QUESTIONS_A_CALL = 3;
const MAX_QUESTION_CHARS = 1_000;
const MAX_FIELDS = 8;

/** What nobody may be asked for in a conversation that a model reads and a database keeps. */
const SECRET_WORDS =
  /pass\s*-?_?(word|code|phrase)|\bpin\b|\bcvv|\bcvc|secret|credential|(card|account)[\s_-]*(number|no\b)|one[\s_-]*time|\botp\b|\btan\b|\biban\b|social[\s_-]*security|\bssn\b|api[\s_-]*key|private[\s_-]*key|access[\s_-]*token|mother'?s?[\s_-]*maiden/i;

const fieldSchema = z.looseObject({
  type: z.enum(['string', 'number', 'integer', 'boolean', 'array']),
  title: z.string().optional(),
  description: z.string().optional(),
  format: z.string().optional(),
});
const questionSchema = z.looseObject({
  type: z.literal('object'),
  properties: z.record(z.string(), fieldSchema),
});

export interface ServerRequestDeps {
  /** Who runs the call that a request of the server belongs to; undefined when that can't be told. */
  peerOf(requestId: string | number): CallPeer | undefined;
  onListChanged(): void;
  onLog(params: LoggingMessageNotification['params']): void;
  /** A request of a server that was not granted, for the log. */
  onRefused(what: string, why: string): void;
  /** Takes our secrets out of what a server writes. */
  clean(text: string): string;
  readonly roots: readonly string[];
  readonly sampling: boolean;
}

/** What we tell a server that we can do for it. Sampling only where the row allows it. */
export function clientCapabilities(deps: Pick<ServerRequestDeps, 'sampling'>): ClientCapabilities {
  return {
    elicitation: { form: { applyDefaults: true } },
    roots: { listChanged: false },
    ...(deps.sampling ? { sampling: {} } : {}),
  };
}

/** Ends for what a server may ask of us or tell us. Everything in it is data that somebody else wrote. */
export function answerServerRequests(client: Client, deps: ServerRequestDeps): void {
  client.setNotificationHandler(ToolListChangedNotificationSchema, () => deps.onListChanged());
  client.setNotificationHandler(LoggingMessageNotificationSchema, ({ params }) => deps.onLog(params));
  client.setRequestHandler(ListRootsRequestSchema, () => ({ roots: deps.roots.map((uri) => ({ uri })) }));
  client.setRequestHandler(ElicitRequestSchema, ({ params }, extra) =>
    elicit(params, deps.peerOf(extra.requestId), deps, extra.signal),
  );
  if (!deps.sampling) return;
  client.setRequestHandler(CreateMessageRequestSchema, ({ params }, extra) =>
    sample(params, deps.peerOf(extra.requestId), deps, extra.signal),
  );
}

/** The same for a server that asks with its result (revision 2026-07-28). @throws McpError for what it may not ask */
export async function answerInput(
  asked: { method: string; params: unknown },
  peer: CallPeer | undefined,
  deps: ServerRequestDeps,
  signal: AbortSignal,
): Promise<unknown> {
  if (asked.method === 'elicitation/create') return elicit(asked.params, peer, deps, signal);
  if (asked.method === 'roots/list') return { roots: deps.roots.map((uri) => ({ uri })) };
  const request = CreateMessageRequestSchema.safeParse(asked);
  if (!deps.sampling || !request.success) throw refusal('This client does not do that.');
  return sample(request.data.params, peer, deps, signal);
}

async function elicit(
  params: unknown,
  peer: CallPeer | undefined,
  deps: ServerRequestDeps,
  signal: AbortSignal,
) {
  if (peer?.ask === undefined) {
    deps.onRefused('elicitation', peer === undefined ? 'no single call it belongs to' : 'nobody to ask');
    return { action: 'cancel' as const };
  }
  const read = readQuestion(mapStrings(params, deps.clean));
  if (!read.ok) {
    deps.onRefused('elicitation', read.why);
    return { action: 'decline' as const };
  }
  peer.questions += 1;
  if (peer.questions > MAX_QUESTIONS_A_CALL) {
    deps.onRefused('elicitation', 'more questions than one call may have');
    return { action: 'cancel' as const };
  }
  const answer = await peer.ask(read.question, signal);
  // The protocol's own type of an answer is narrower than a checked JSON object.
  return answer as { action: 'accept' | 'decline' | 'cancel'; content?: Record<string, string> };
}

async function sample(
  params: CreateMessageRequest['params'],
  peer: CallPeer | undefined,
  deps: ServerRequestDeps,
  signal: AbortSignal,
) {
  if (peer?.sample === undefined) throw refusal('There is no model to ask.');
  peer.samples += 1;
  if (peer.samples > MAX_SAMPLES_A_CALL) throw refusal('One call may ask the model three times.');
  const messages = sampledMessages(mapStrings(params, deps.clean) as CreateMessageRequest['params']);
  const maxTokens = Math.min(params.maxTokens, MAX_SAMPLED_TOKENS);
  const system = params.systemPrompt && deps.clean(params.systemPrompt).slice(0, MAX_SAMPLED_CHARS);
  const answer = await peer.sample({ system, messages, maxTokens }, signal);
  return {
    model: answer.model,
    role: 'assistant' as const,
    content: { type: 'text' as const, text: answer.text },
    stopReason: 'endTurn',
  };
}

type ReadQuestion =
  | { readonly ok: true; readonly question: ToolQuestion }
  | { readonly ok: false; readonly why: string };

/** A form of a few plain fields, none of them a secret; anything else is declined. */
export function readQuestion(params: unknown): ReadQuestion {
  const form = z
    .looseObject({ mode: z.string().optional(), message: z.string(), requestedSchema: z.unknown() })
    .safeParse(params);
  if (!form.success || (form.data.mode ?? 'form') !== 'form') return { ok: false, why: 'it is not a form' };
  const schema = questionSchema.safeParse(form.data.requestedSchema);
  if (!schema.success) return { ok: false, why: 'its fields are not plain ones' };
  const fields = Object.entries(schema.data.properties);
  if (fields.length > MAX_FIELDS) return { ok: false, why: `it has more than ${MAX_FIELDS} fields` };
  const words = [form.data.message, ...fields.flatMap(([name, field]) => fieldWords(name, field))];
  if (words.some((text) => SECRET_WORDS.test(text))) return { ok: false, why: 'it asks for a secret' };
  return {
    ok: true,
    question: {
      message: form.data.message.slice(0, MAX_QUESTION_CHARS).toWellFormed(),
      schema: form.data.requestedSchema as JsonObject,
    },
  };
}

function fieldWords(name: string, field: z.output<typeof fieldSchema>): string[] {
  // `cardNumber` reads like "card Number".
  const spoken = name.replace(/([a-z])([A-Z])/g, '$1 $2');
  return [name, spoken, field.title ?? '', field.description ?? '', field.format ?? ''];
}

function sampledMessages(
  params: CreateMessageRequest['params'],
): { role: 'user' | 'assistant'; text: string }[] {
  if (params.messages.length > MAX_SAMPLED_MESSAGES) throw refusal('Too many messages.');
  let chars = 0;
  return params.messages.flatMap(({ role, content }) => {
    const blocks = Array.isArray(content) ? content : [content];
    return blocks.map((block) => {
      if (block.type !== 'text') throw refusal('Only text can be sampled.');
      chars += block.text.length;
      if (chars > MAX_SAMPLED_CHARS) throw refusal('The messages are too long.');
      return { role, text: block.text };
    });
  });
}

function refusal(message: string): McpError {
  return new McpError(ErrorCode.InvalidRequest, message);
}
