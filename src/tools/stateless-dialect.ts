import type { FetchLike } from '@modelcontextprotocol/sdk/shared/transport.js';
import { z } from 'zod';
import { headerValue, type MirroredArguments, mirror, readMirrored } from './mirrored-headers.ts';

export const STATELESS_REVISION = '2026-07-28';
const META = 'io.modelcontextprotocol/';
/** A tool that asks more often than this in one call does not come to an end. */
const MAX_ROUNDS = 8;
const UNSUPPORTED_VERSION = -32022;

const messageSchema = z.looseObject({
  id: z.union([z.string(), z.number()]).optional(),
  method: z.string().optional(),
  params: z.looseObject({ _meta: z.record(z.string(), z.unknown()).optional() }).optional(),
});
type Message = z.output<typeof messageSchema>;
const inputSchema = z.looseObject({
  resultType: z.literal('input_required'),
  inputRequests: z
    .record(z.string(), z.looseObject({ method: z.string(), params: z.unknown().optional() }))
    .default({}),
  requestState: z.string().optional(),
});
const listSchema = z.looseObject({ tools: z.array(z.unknown()) });
const discoverSchema = z.looseObject({
  capabilities: z.looseObject({ tools: z.unknown().optional() }).default({}),
  serverInfo: z.looseObject({ name: z.string(), version: z.string() }).optional(),
});

export interface DialectDeps {
  readonly fetch: FetchLike;
  readonly clientInfo: { readonly name: string; readonly version: string };
  readonly capabilities: object;
  /** Does what a server asks for in the middle of a call; `call` is the request's own `_meta`. */
  answer(
    asked: { method: string; params: unknown },
    call: Record<string, unknown>,
    signal: AbortSignal,
  ): Promise<unknown>;
}

/**
 * Speaks revision 2026-07-28 with a server, beneath an SDK that knows those before it: no handshake and no session,
 * each request says who asks; questions of the server come as a result, and the request is made again with the answers.
 */
export class StatelessDialect {
  readonly #deps: DialectDeps;
  readonly #mirrored = new Map<string, MirroredArguments>();
  readonly #underWay = new Map<string | number, AbortController>();
  #rounds = 0;

  constructor(deps: DialectDeps) {
    this.#deps = deps;
  }

  readonly fetch: FetchLike = async (url, init) => {
    // No session to end, and no stream of its own for what a server has to say.
    if (init?.method !== 'POST' || typeof init.body !== 'string') return new Response(null, { status: 405 });
    const message = messageSchema.parse(JSON.parse(init.body));
    const { id, method } = message;
    if (method === 'initialize' && id !== undefined) return this.#discover(id, url, init);
    if (id === undefined || method === undefined) {
      if (method === 'notifications/cancelled') this.#cancel(message.params?.requestId);
      return new Response(null, { status: 202 });
    }
    const stop = new AbortController();
    this.#underWay.set(id, stop);
    const signal = init.signal ? AbortSignal.any([init.signal, stop.signal]) : stop.signal;
    const first = await this.#send(message, url, { ...init, signal }).catch((error: unknown) => {
      this.#underWay.delete(id);
      throw error;
    });
    if (!first.ok || first.body === null) {
      this.#underWay.delete(id);
      return first;
    }
    const words = this.#answers(message, first, url, { ...init, signal }, id);
    return new Response(streamOf(words), { headers: { 'content-type': 'text/event-stream' } });
  };

  /** Cancelling is to leave the answer's stream. */
  #cancel(requestId: unknown): void {
    if (typeof requestId === 'string' || typeof requestId === 'number')
      this.#underWay.get(requestId)?.abort(new Error('The request was cancelled'));
  }

  /** What the SDK takes for the handshake. @returns the server's refusal, where it does not speak this revision */
  async #discover(id: string | number, url: string | URL, init: RequestInit): Promise<Response> {
    const response = await this.#send({ jsonrpc: '2.0', id, method: 'server/discover' }, url, init);
    if (!response.ok) return response;
    let data = '{}';
    for await (const message of messagesOf(response)) data = message;
    const answer = z.looseObject({ result: z.unknown() }).parse(JSON.parse(data));
    const { capabilities, serverInfo } = discoverSchema.parse(answer.result ?? {});
    const result = {
      protocolVersion: '2025-11-25',
      // Changes are announced on a stream that is not opened here: the list is asked for again instead.
      capabilities: { ...(capabilities.tools === undefined ? {} : { tools: {} }) },
      serverInfo: serverInfo ?? { name: 'unnamed', version: '0' },
    };
    return Response.json({ jsonrpc: '2.0', id, result });
  }

  async *#answers(
    message: Message,
    first: Response,
    url: string | URL,
    init: RequestInit & { signal: AbortSignal },
    id: string | number,
  ): AsyncGenerator<string> {
    try {
      let response = first;
      for (let round = 0; round <= MAX_ROUNDS; round += 1) {
        let asked: z.output<typeof inputSchema> | undefined;
        for await (const data of messagesOf(response)) {
          const answer = z.looseObject({ result: z.unknown() }).parse(JSON.parse(data));
          asked = inputSchema.safeParse(answer.result).data;
          if (asked !== undefined) break;
          const own = 'id' in answer ? { ...answer, id } : answer;
          yield `event: message\ndata: ${JSON.stringify(this.#read(message, own))}\n\n`;
        }
        if (asked === undefined) return;
        response = await this.#send(await this.#again(message, asked, init.signal), url, init);
        if (!response.ok) throw new Error(`The server answered with HTTP status ${response.status}`);
      }
      throw new Error('The server asks without end');
    } catch (error) {
      const words = error instanceof Error ? error.message : 'no answer';
      yield `event: message\ndata: ${JSON.stringify({ jsonrpc: '2.0', id, error: { code: -32603, message: words } })}\n\n`;
    } finally {
      this.#underWay.delete(id);
    }
  }

  /** The request once more, with an id of its own, and with nothing of what other requests were asked. */
  async #again(message: Message, asked: z.output<typeof inputSchema>, signal: AbortSignal): Promise<Message> {
    const meta = message.params?._meta ?? {};
    const answers = Object.entries(asked.inputRequests).map(async ([key, { method, params }]) => [
      key,
      await this.#deps.answer({ method, params }, meta, signal),
    ]);
    this.#rounds += 1;
    const { requestState } = asked;
    return {
      ...message,
      id: `${String(message.id)}.${this.#rounds}`,
      params: {
        ...message.params,
        inputResponses: Object.fromEntries(await Promise.all(answers)),
        ...(requestState === undefined ? {} : { requestState }),
      },
    };
  }

  /** Learns from a list what its tools want mirrored, and leaves out those that want it in a way that is not allowed. */
  #read(message: Message, answer: Record<string, unknown>): Record<string, unknown> {
    if (message.method !== 'tools/list') return answer;
    const list = listSchema.safeParse(answer.result).data;
    if (list === undefined) return answer;
    const tools = list.tools.filter((tool) => {
      const mirrored = readMirrored(tool);
      const name = z.looseObject({ name: z.string() }).safeParse(tool).data?.name;
      if (mirrored !== undefined && name !== undefined) this.#mirrored.set(name, mirrored);
      return mirrored !== undefined;
    });
    return { ...answer, result: { ...list, tools } };
  }

  async #send(message: Message, url: string | URL, init: RequestInit): Promise<Response> {
    const { fetch, clientInfo, capabilities } = this.#deps;
    const meta = {
      ...message.params?._meta,
      [`${META}protocolVersion`]: STATELESS_REVISION,
      [`${META}clientInfo`]: clientInfo,
      [`${META}clientCapabilities`]: capabilities,
    };
    const body = JSON.stringify({ ...message, params: { ...message.params, _meta: meta } });
    const headers = new Headers(init.headers);
    headers.set('mcp-protocol-version', STATELESS_REVISION);
    headers.set('mcp-method', message.method ?? '');
    const name = message.params?.name;
    if (typeof name === 'string') {
      headers.set('mcp-name', headerValue(name));
      for (const [header, value] of mirror(this.#mirrored.get(name) ?? new Map(), message.params?.arguments))
        headers.set(header, value);
    }
    const send = () => fetch(url, { ...init, headers, body });
    const response = await send();
    if (response.status !== 400) return response;
    // A server may say for once that it wants another revision, and list this one.
    const text = await response.text();
    return isSupportedAfterAll(text)
      ? send()
      : new Response(text, { status: 400, headers: response.headers });
  }
}

function isSupportedAfterAll(text: string): boolean {
  try {
    const schema = z.looseObject({
      error: z.looseObject({
        code: z.literal(UNSUPPORTED_VERSION),
        data: z.looseObject({ supported: z.array(z.string()) }),
      }),
    });
    return schema.parse(JSON.parse(text)).error.data.supported.includes(STATELESS_REVISION);
  } catch {
    return false;
  }
}

/** The JSON-RPC messages of an answer: one, or those of a stream. */
async function* messagesOf(response: Response): AsyncGenerator<string> {
  if (!(response.headers.get('content-type')?.startsWith('text/event-stream') ?? false)) {
    yield await response.text();
    return;
  }
  if (response.body === null) return;
  let rest = '';
  for await (const text of response.body.pipeThrough(new TextDecoderStream())) {
    const events = (rest + text).split(/\r?\n\r?\n/);
    rest = events.pop() ?? '';
    for (const event of events) {
      const data = event
        .split(/\r?\n/)
        .flatMap((line) => (line.startsWith('data:') ? [line.slice(5).trimStart()] : []));
      if (data.join('').trim() !== '') yield data.join('\n');
    }
  }
}

function streamOf(words: AsyncGenerator<string>): ReadableStream<Uint8Array> {
  const encoder = new TextEncoder();
  return new ReadableStream({
    async pull(controller) {
      const { done, value } = await words.next();
      if (done) controller.close();
      else controller.enqueue(encoder.encode(value));
    },
    cancel: async () => void (await words.return(undefined)),
  });
}
