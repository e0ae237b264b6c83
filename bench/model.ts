import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { sendReply } from '../src/embedded/rehearsal/chat-route.ts';
import {
  type ChatRequest,
  chatRequestSchema,
  type ModelReply,
  offeredTool,
} from '../src/embedded/rehearsal/model/request.ts';
import { sendOpenAiError } from '../src/embedded/rehearsal/openai-error.ts';

export const TOOL_NAME = 'refund_order';
export const CHAT_ANSWER =
  'Thank you for your patience. I have found your order, it left our house yesterday, and it will be with ' +
  'you tomorrow before noon. Is there anything else that I can look up for you?';
/** Short and always the same, so that its sound is made once and then only fetched. */
export const SPOKEN_ANSWER = 'Your order will arrive tomorrow.';

/** Nobody hears its end. Whole sentences that come again, so that their sound is made once. */
export const STORY =
  'Once upon a time there was a ship that nobody had ever seen. It sailed by night. '.repeat(40);
/** Between the words of the story: as fast as a model writes. */
const STORY_TOKEN_MS = 20;

/** One request for an answer; moments are milliseconds since the epoch. */
export interface ModelTurn {
  readonly customer: string;
  readonly askedAt: number;
  /** All of the answer was handed to the connection. */
  readonly answeredAt: number;
}

export interface InstantModel {
  readonly openaiBaseUrl: string;
  readonly turns: readonly ModelTurn[];
  stop(): Promise<void>;
}

function replyTo(request: ChatRequest): ModelReply {
  const last = request.messages.at(-1);
  const customer = lastCustomer(request);
  const order = /refund order (\d+)/.exec(customer)?.[1];
  if (last?.role === 'tool') return { text: 'It is done.' };
  if (order && offeredTool(request, TOOL_NAME)) {
    return { toolCalls: [{ name: TOOL_NAME, arguments: JSON.stringify({ order }) }] };
  }
  if (/story/i.test(customer)) return { text: STORY };
  return { text: /question/i.test(customer) ? CHAT_ANSWER : SPOKEN_ANSWER };
}

function lastCustomer(request: ChatRequest): string {
  return request.messages.findLast(({ role }) => role === 'user')?.content ?? '';
}

/** The summary at an interaction's end is asked for as JSON. */
function isBackground(request: ChatRequest): boolean {
  return request.response_format !== undefined || /one JSON object/i.test(JSON.stringify(request.messages));
}

/** A model that takes no time, or so much until its first word, and writes down how much it took all the same. */
export async function startModel(firstTokenMs = 0): Promise<InstantModel> {
  const turns: ModelTurn[] = [];
  const serve = async (incoming: IncomingMessage, response: ServerResponse): Promise<void> => {
    const askedAt = performance.timeOrigin + performance.now();
    const parts: Buffer[] = [];
    for await (const part of incoming) parts.push(Buffer.from(part));
    const request = chatRequestSchema.parse(JSON.parse(Buffer.concat(parts).toString('utf8')));
    if (isBackground(request)) return sendReply(request, { text: '{}' }, response);
    const reply = replyTo(request);
    const pace = { firstTokenMs, tokenMs: reply.text === STORY ? STORY_TOKEN_MS : 0 };
    await sendReply(request, reply, response, { pace });
    const answeredAt = performance.timeOrigin + performance.now();
    turns.push({ customer: lastCustomer(request), askedAt, answeredAt });
  };
  const http = createServer((incoming, response) => {
    serve(incoming, response).catch((error: unknown) => sendOpenAiError(response, 500, String(error)));
  });
  await new Promise<void>((resolve) => http.listen(0, '127.0.0.1', resolve));
  const { port } = http.address() as AddressInfo;
  return {
    openaiBaseUrl: `http://127.0.0.1:${port}/v1`,
    turns,
    async stop() {
      const closed = new Promise<void>((resolve) => http.close(() => resolve()));
      http.closeAllConnections();
      await closed;
    },
  };
}
