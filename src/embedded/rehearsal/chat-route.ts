import { randomUUID } from 'node:crypto';
import type { ServerResponse } from 'node:http';
import { setTimeout as wait } from 'node:timers/promises';
import type { ChatRequest, ModelReply } from './model/request.ts';

/** The name that every answer carries, whatever model was asked for. */
export const REHEARSAL_MODEL = 'rehearsal-model';

export interface Pace {
  /** Before the first word, and between words. A real model takes its time; by default this one does not. */
  readonly firstTokenMs: number;
  readonly tokenMs: number;
}

function tokensOf(text: string): number {
  return Math.ceil(text.length / 4);
}

function usageOf(request: ChatRequest, reply: ModelReply) {
  const prompt = tokensOf(JSON.stringify(request.messages) + JSON.stringify(request.tools ?? []));
  const completion = tokensOf((reply.text ?? '') + JSON.stringify(reply.toolCalls ?? ''));
  return {
    prompt_tokens: prompt,
    completion_tokens: completion,
    total_tokens: prompt + completion,
    prompt_tokens_details: { cached_tokens: 0 },
  };
}

function wireCalls(reply: ModelReply) {
  return (reply.toolCalls ?? []).map((call) => ({
    id: call.id ?? `call_${randomUUID().replaceAll('-', '').slice(0, 24)}`,
    type: 'function' as const,
    function: { name: call.name, arguments: call.arguments },
  }));
}

/** Answers a chat-completions request in the form it asks for: one JSON document, or a stream of chunks. */
export async function sendReply(
  request: ChatRequest,
  reply: ModelReply,
  response: ServerResponse,
  options: { model?: string; pace?: Pace } = {},
): Promise<void> {
  const base = {
    id: `chatcmpl-${randomUUID()}`,
    created: Math.floor(Date.now() / 1000),
    model: options.model ?? REHEARSAL_MODEL,
  };
  const calls = wireCalls(reply);
  const finish = calls.length > 0 ? 'tool_calls' : 'stop';
  const usage = usageOf(request, reply);
  const pace = options.pace ?? { firstTokenMs: 0, tokenMs: 0 };
  if (pace.firstTokenMs > 0) await wait(pace.firstTokenMs);
  if (response.destroyed) return;
  if (!request.stream) {
    const message = {
      role: 'assistant',
      content: reply.text ?? null,
      ...(calls.length > 0 ? { tool_calls: calls } : {}),
    };
    response.writeHead(200, { 'content-type': 'application/json' });
    response.end(
      JSON.stringify({
        ...base,
        object: 'chat.completion',
        choices: [{ index: 0, message, finish_reason: finish, logprobs: null }],
        usage,
      }),
    );
    return;
  }
  response.writeHead(200, { 'content-type': 'text/event-stream', 'cache-control': 'no-cache' });
  const includeUsage = request.stream_options?.include_usage === true;
  const send = (chunk: object) => {
    const body = {
      ...base,
      object: 'chat.completion.chunk',
      ...(includeUsage ? { usage: null } : {}),
      ...chunk,
    };
    response.write(`data: ${JSON.stringify(body)}\n\n`);
  };
  const delta = (content: object, finishReason: string | null = null) =>
    send({ choices: [{ index: 0, delta: content, finish_reason: finishReason, logprobs: null }] });

  delta({ role: 'assistant', content: reply.text === undefined ? null : '' });
  for (const word of (reply.text ?? '').match(/\s*\S+\s*$|\s*\S+/g) ?? []) {
    delta({ content: word });
    if (pace.tokenMs > 0) await wait(pace.tokenMs);
    if (response.destroyed) return;
  }
  for (const [index, call] of calls.entries()) {
    delta({
      tool_calls: [
        { index, id: call.id, type: 'function', function: { name: call.function.name, arguments: '' } },
      ],
    });
    // Arguments come in pieces from a real model too.
    for (const piece of call.function.arguments.match(/[\s\S]{1,20}/g) ?? []) {
      delta({ tool_calls: [{ index, function: { arguments: piece } }] });
    }
  }
  delta({}, finish);
  if (includeUsage) send({ choices: [], usage });
  response.end('data: [DONE]\n\n');
}
