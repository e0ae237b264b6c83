import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { setTimeout as wait } from 'node:timers/promises';
import { sendReply } from '../../src/embedded/rehearsal/chat-route.ts';
import {
  type ChatRequest,
  chatRequestSchema,
  type ModelReply,
} from '../../src/embedded/rehearsal/model/request.ts';
import { sendOpenAiError } from '../../src/embedded/rehearsal/openai-error.ts';

/** A chat request as the scripted model got it, with what tests ask of it most. */
export interface ModelRequest {
  readonly body: ChatRequest;
  readonly at: number;
  readonly headers: IncomingMessage['headers'];
  /** All system and developer messages in one text. */
  readonly system: string;
  /** The newest message of the customer; '' if there is none. */
  readonly lastUser: string;
  readonly lastMessage: ChatRequest['messages'][number] | undefined;
  /** Outputs that the model is shown, in order. */
  readonly toolResults: readonly {
    readonly name: string;
    readonly callId: string;
    readonly output: string;
  }[];
  readonly toolNames: readonly string[];
  /** Everything in the request as one text, for a quick "does it contain". */
  readonly text: string;
}

export interface ScriptedReply {
  readonly text?: string;
  /** `arguments` as an object, or as a string for malformed JSON. */
  readonly toolCalls?: readonly {
    readonly name: string;
    readonly arguments: object | string;
    readonly id?: string;
  }[];
  /** An HTTP error in place of an answer. */
  readonly status?: number;
  /** Never answers; `midway` sends the text and then never ends. */
  readonly hang?: true | 'midway';
  /** Closes the connection after the text, without an end. */
  readonly breakOff?: true;
  /** A well-formed answer with neither words nor calls. */
  readonly nothing?: true;
  readonly delayMs?: number;
  /** The answer waits for this; better than a delay when a test knows what it waits for. */
  readonly holdUntil?: Promise<unknown>;
  /** Between words. */
  readonly tokenMs?: number;
}

export type ReplyFunction = (
  request: ModelRequest,
) => ScriptedReply | string | Promise<ScriptedReply | string>;
type Match = ((request: ModelRequest) => boolean) | RegExp | string;

export interface ExpectedCall {
  /** A predicate, or what the customer's newest message contains. Without it any request fits. */
  readonly when?: Match;
  readonly reply: ScriptedReply | string | ReplyFunction;
  readonly name?: string;
}

export interface ScriptedModel {
  readonly openaiBaseUrl: string;
  /** All requests in order of arrival, background ones included. */
  readonly requests: readonly ModelRequest[];
  /** Requests that were not matched by a background rule. */
  readonly turns: readonly ModelRequest[];
  /** Adds calls to the end of the script. */
  expect(...calls: ExpectedCall[]): void;
  /** Answers requests outside the script: wrap-up, scoring. Asked first, newest rule first, any number of times. */
  background(when: Match, reply: ScriptedReply | string | ReplyFunction): void;
  /** Answers whatever the script does not expect, in place of failing. */
  otherwise(reply: ReplyFunction): void;
  /** Resolves when `count` turns have been asked for. */
  waitForTurns(count: number, deadlineMs?: number): Promise<readonly ModelRequest[]>;
  /** @throws Error that lists unexpected requests and calls that never came. */
  assertExhausted(): void;
  stop(): Promise<void>;
}

/** True for requests that ask for JSON: the wrap-up and the model scorer. */
export function wantsJson(request: ModelRequest): boolean {
  return request.body.response_format !== undefined || /answer with one JSON object/i.test(request.text);
}

/**
 * An OpenAI-compatible chat server of a test's own. Give it the calls in order, or one function that answers
 * them all. An unexpected request gets an HTTP 400 and fails `assertExhausted`.
 */
export async function setupModel(
  script: readonly ExpectedCall[] | ReplyFunction = [],
): Promise<ScriptedModel> {
  const requests: ModelRequest[] = [];
  const turns: ModelRequest[] = [];
  const problems: string[] = [];
  const expected: ExpectedCall[] = typeof script === 'function' ? [] : [...script];
  const background: { when: Match; reply: ExpectedCall['reply'] }[] = [];
  let otherwise: ReplyFunction | undefined = typeof script === 'function' ? script : undefined;
  const waiting = new Set<() => void>();

  const choose = (request: ModelRequest): ExpectedCall['reply'] | undefined => {
    const rule = background.findLast(({ when }) => matches(when, request));
    if (rule) return rule.reply;
    turns.push(request);
    for (const check of [...waiting]) check();
    const next = expected[0];
    if (next && (next.when === undefined || matches(next.when, request))) return expected.shift()?.reply;
    if (otherwise) return otherwise;
    const wanted = next ? `expected next: ${describe(next)}` : 'expected no more';
    problems.push(
      `unexpected request (${wanted}); newest message: ${JSON.stringify(request.lastMessage)?.slice(0, 400)}`,
    );
    return undefined;
  };

  const http = createServer((incoming, response) => {
    serve(incoming, response).catch((error: unknown) => {
      problems.push(`the scripted model failed: ${String(error)}`);
      sendOpenAiError(response, 500, String(error));
    });
  });

  const serve = async (incoming: IncomingMessage, response: ServerResponse): Promise<void> => {
    const parts: Buffer[] = [];
    for await (const part of incoming) parts.push(Buffer.from(part));
    if (!incoming.url?.endsWith('/chat/completions')) {
      return sendOpenAiError(response, 404, `the scripted model has no ${incoming.url}`);
    }
    const request = read(
      chatRequestSchema.parse(JSON.parse(Buffer.concat(parts).toString('utf8'))),
      incoming,
    );
    requests.push(request);
    const chosen = choose(request);
    if (chosen === undefined)
      return sendOpenAiError(response, 400, 'unexpected request to the scripted model');
    const reply = typeof chosen === 'function' ? await chosen(request) : chosen;
    await answer(request.body, typeof reply === 'string' ? { text: reply } : reply, response);
  };

  await new Promise<void>((resolve) => http.listen(0, '127.0.0.1', resolve));
  const { port } = http.address() as AddressInfo;
  return {
    openaiBaseUrl: `http://127.0.0.1:${port}/v1`,
    requests,
    turns,
    expect: (...calls) => void expected.push(...calls),
    background: (when, reply) => void background.push({ when, reply }),
    otherwise: (reply) => {
      otherwise = reply;
    },
    waitForTurns: (count, deadlineMs = 10_000) =>
      new Promise((resolve, reject) => {
        const timer = setTimeout(() => {
          waiting.delete(check);
          reject(
            new Error(`the model was asked ${turns.length} times, not ${count}, within ${deadlineMs} ms`),
          );
        }, deadlineMs);
        const check = () => {
          if (turns.length < count) return;
          clearTimeout(timer);
          waiting.delete(check);
          resolve(turns);
        };
        waiting.add(check);
        check();
      }),
    assertExhausted() {
      const left = expected.map((call) => `never asked for: ${describe(call)}`);
      const lines = [...problems, ...left];
      if (lines.length > 0) throw new Error(`The model's script did not come true:\n${lines.join('\n')}`);
    },
    async stop() {
      const closed = new Promise<void>((resolve) => http.close(() => resolve()));
      http.closeAllConnections();
      await closed;
    },
  };
}

async function answer(body: ChatRequest, reply: ScriptedReply, response: ServerResponse): Promise<void> {
  if (reply.holdUntil) await reply.holdUntil;
  if (reply.delayMs) await wait(reply.delayMs);
  if (reply.status !== undefined) {
    return sendOpenAiError(response, reply.status, `scripted status ${reply.status}`);
  }
  if (reply.hang === true) return;
  if (reply.hang === 'midway' || reply.breakOff) {
    response.writeHead(200, { 'content-type': 'text/event-stream' });
    const choices = [
      { index: 0, delta: { role: 'assistant', content: reply.text ?? '' }, finish_reason: null },
    ];
    const chunk = {
      id: 'chatcmpl-scripted',
      object: 'chat.completion.chunk',
      created: 0,
      model: 'scripted',
      choices,
    };
    response.write(`data: ${JSON.stringify(chunk)}\n\n`, () => {
      if (reply.breakOff) response.destroy();
    });
    return;
  }
  const model: ModelReply = reply.nothing
    ? {}
    : {
        ...(reply.text === undefined ? {} : { text: reply.text }),
        toolCalls: (reply.toolCalls ?? []).map((call) => ({
          ...call,
          arguments: typeof call.arguments === 'string' ? call.arguments : JSON.stringify(call.arguments),
        })),
      };
  const pace = { firstTokenMs: 0, tokenMs: reply.tokenMs ?? 0 };
  await sendReply(body, model, response, { model: 'scripted-model', pace });
}

function read(body: ChatRequest, incoming: IncomingMessage): ModelRequest {
  const names = new Map(
    body.messages.flatMap((message) =>
      (message.tool_calls ?? []).map((call) => [call.id, call.function.name] as const),
    ),
  );
  const system = body.messages.filter(({ role }) => role === 'system' || role === 'developer');
  return {
    body,
    at: Date.now(),
    headers: incoming.headers,
    system: system.map(({ content }) => content).join('\n'),
    lastUser: body.messages.findLast(({ role }) => role === 'user')?.content ?? '',
    lastMessage: body.messages.at(-1),
    toolResults: body.messages.flatMap((message) => {
      if (message.role !== 'tool') return [];
      const callId = message.tool_call_id ?? '';
      return [{ name: names.get(callId) ?? '', callId, output: message.content }];
    }),
    toolNames: (body.tools ?? []).map((tool) => tool.function.name),
    text: JSON.stringify(body),
  };
}

function matches(when: Match, request: ModelRequest): boolean {
  if (typeof when === 'function') return when(request);
  return typeof when === 'string' ? request.lastUser.includes(when) : when.test(request.lastUser);
}

function describe(call: ExpectedCall): string {
  if (call.name) return call.name;
  const reply = typeof call.reply === 'function' ? 'a function' : JSON.stringify(call.reply);
  return `${call.when === undefined ? 'any request' : `when ${String(call.when)}`} → ${reply?.slice(0, 200)}`;
}
