import { setTimeout as delay } from 'node:timers/promises';
import { Client } from '@modelcontextprotocol/sdk/client/index.js';
import { StreamableHTTPClientTransport } from '@modelcontextprotocol/sdk/client/streamableHttp.js';
import type { Transport } from '@modelcontextprotocol/sdk/shared/transport.js';
import { ErrorCode, McpError, ToolListChangedNotificationSchema } from '@modelcontextprotocol/sdk/types.js';
import { z } from 'zod';
import { FloorwalkerError } from '../errors.ts';
import type { Log } from '../log.ts';
import { AnswerStreams } from './answer-stream.ts';
import { readFailure } from './call-failure.ts';
import type { GuardedFetch } from './guarded-fetch.ts';
import { type ToolResult, toolResultSchema } from './result-text.ts';
import type { Secrets } from './secrets.ts';
import type { ServerAddress } from './server-address.ts';
import { StdioTransport } from './stdio-transport.ts';
import type { JsonObject } from './types.ts';

const MAX_PAGES = 20;
const MAX_TOOLS = 500;
const FIRST_PAUSE_MS = 500;
const LONGEST_PAUSE_MS = 30_000;
const GOODBYE_MS = 500;
/** A program may need longer to start than a conversation waits for its tools. */
const CONNECT_LIMIT_MS = 30_000;
/** The SDK's own request timer stays out of the way: the tool's timeout is the caller's signal. */
const NO_SDK_TIMEOUT_MS = 2_147_483_000;
/** Key of the idempotency key in `_meta` of a call, for servers that know it. */
export const IDEMPOTENCY_META_KEY = 'floorwalker/idempotency-key';

const serverToolSchema = z.looseObject({
  name: z.string().min(1).max(200),
  description: z.string().optional(),
  inputSchema: z.record(z.string(), z.unknown()),
  annotations: z
    .looseObject({
      readOnlyHint: z.boolean().optional(),
      destructiveHint: z.boolean().optional(),
      idempotentHint: z.boolean().optional(),
    })
    .optional(),
});
export type ServerTool = z.output<typeof serverToolSchema>;
const pageSchema = z.looseObject({ tools: z.array(z.unknown()), nextCursor: z.string().optional() });

/**
 * One connection to one MCP server. It connects when it is first needed, again after it was lost, and not
 * more often than with growing pauses while the server is down.
 */
export class ServerConnection {
  readonly label: string;
  readonly #address: ServerAddress;
  readonly #deps: { log: Log; secrets: Secrets; http: GuardedFetch; onListChanged: () => void };
  readonly #answers = new AnswerStreams(IDEMPOTENCY_META_KEY);
  #client: Promise<Client> | undefined;
  readonly #closing = new AbortController();
  #lastFailure: unknown;
  #failures = 0;
  #notBeforeMs = 0;

  constructor(
    address: ServerAddress,
    deps: { log: Log; secrets: Secrets; http: GuardedFetch; onListChanged: () => void },
  ) {
    this.label = address.label;
    this.#address = address;
    this.#deps = deps;
  }

  /** All tools of the server; one that breaks the protocol is left out and logged. */
  async listTools(signal: AbortSignal): Promise<ServerTool[]> {
    const client = await this.#connected(signal);
    const tools: ServerTool[] = [];
    let cursor: string | undefined;
    for (let page = 0; page < MAX_PAGES && tools.length < MAX_TOOLS; page += 1) {
      const params = cursor === undefined ? {} : { cursor };
      // Not client.listTools: one unusable output schema would fail the whole list there.
      const answer = await client.request({ method: 'tools/list', params }, pageSchema, {
        signal,
        timeout: NO_SDK_TIMEOUT_MS,
      });
      for (const candidate of answer.tools) {
        const tool = serverToolSchema.safeParse(candidate);
        if (tool.success) tools.push(tool.data);
        else
          this.#deps.log.warn(
            { server: this.label },
            'A tool server lists a tool that breaks the protocol; it is left out',
          );
      }
      if (answer.nextCursor === undefined || answer.nextCursor === cursor) break;
      cursor = answer.nextCursor;
    }
    return tools.slice(0, MAX_TOOLS);
  }

  /** @throws what `readFailure` reads */
  async callTool(
    tool: string,
    args: JsonObject,
    options: { idempotencyKey: string; signal: AbortSignal },
  ): Promise<ToolResult> {
    const { signal, idempotencyKey } = options;
    const params = { name: tool, arguments: args, _meta: { [IDEMPOTENCY_META_KEY]: idempotencyKey } };
    for (let attempt = 1; ; attempt += 1) {
      const client = await this.#connected(signal);
      const lost = new AbortController();
      const unwatch = this.#answers.watch(idempotencyKey, () => {
        lost.abort(new McpError(ErrorCode.ConnectionClosed, 'The stream of the answer ended'));
      });
      try {
        return await client.request({ method: 'tools/call', params }, toolResultSchema, {
          signal: AbortSignal.any([signal, lost.signal]),
          timeout: NO_SDK_TIMEOUT_MS,
        });
      } catch (error) {
        const failure = readFailure(error, signal);
        if (failure.sessionLost || failure.kind === 'not_sent') await this.#drop(client);
        // A session that the server no longer knows was found before the tool ran: asking once more repeats nothing.
        if (!failure.sessionLost || attempt > 1) throw error;
      } finally {
        unwatch();
      }
    }
  }

  async close(): Promise<void> {
    this.#closing.abort(unavailable('the conversation has ended'));
    const client = await this.#client?.catch(() => undefined);
    this.#client = undefined;
    const transport = client?.transport;
    if (transport instanceof StreamableHTTPClientTransport) {
      // A courtesy to the server, which frees the session; not worth a wait.
      const ended = transport.terminateSession().catch(() => undefined);
      await Promise.race([ended, delay(GOODBYE_MS, undefined, { ref: false })]);
    }
    await client?.close().catch(() => undefined);
  }

  /** The connection, made if need be. Who gives up waiting does not stop it: it may be there for the next call. */
  async #connected(signal: AbortSignal): Promise<Client> {
    if (this.#closing.signal.aborted) throw unavailable('the conversation has ended');
    if (this.#client === undefined) {
      if (performance.now() < this.#notBeforeMs) throw this.#lastFailure;
      const connecting = this.#connect();
      this.#client = connecting;
      connecting.catch((error: unknown) => {
        this.#forget(connecting);
        this.#lastFailure = error;
        this.#failures += 1;
        const pauseMs = Math.min(LONGEST_PAUSE_MS, FIRST_PAUSE_MS * 2 ** (this.#failures - 1));
        this.#notBeforeMs = performance.now() + pauseMs * (0.5 + Math.random() / 2);
      });
    }
    const connecting = this.#client;
    try {
      return await untilAborted(connecting, signal);
    } catch (error) {
      if (signal.aborted) connecting.then(this.#deps.onListChanged, () => undefined);
      throw error;
    }
  }

  async #connect(): Promise<Client> {
    const transport = this.#transport();
    const client = new Client({ name: 'floorwalker', version: '0.1.0' }, { capabilities: {} });
    client.onerror = (error) => {
      this.#deps.log.debug(
        { server: this.label, reason: this.#deps.secrets.scrub(error.message).slice(0, 300) },
        'A tool server connection reports trouble',
      );
    };
    client.setNotificationHandler(ToolListChangedNotificationSchema, () => this.#deps.onListChanged());
    const signal = AbortSignal.any([this.#closing.signal, AbortSignal.timeout(CONNECT_LIMIT_MS)]);
    try {
      await client.connect(transport, { signal, timeout: NO_SDK_TIMEOUT_MS });
    } catch (error) {
      await transport.close().catch(() => undefined);
      throw error;
    }
    this.#failures = 0;
    const connected = this.#client;
    client.onclose = () => {
      if (!this.#forget(connected) || this.#closing.signal.aborted) return;
      this.#deps.log.warn(
        { server: this.label },
        'A tool server has ended; it is started or called again when needed',
      );
    };
    return client;
  }

  /** True if that was the connection in use. */
  #forget(connection: Promise<Client> | undefined): boolean {
    if (this.#client !== connection) return false;
    this.#client = undefined;
    return true;
  }

  #transport(): Transport {
    const { secrets, log, http } = this.#deps;
    const address = this.#address;
    if (address.kind === 'stdio') {
      return new StdioTransport({
        program: () => address.program(secrets),
        log: log.child({ server: this.label }),
        scrub: (text) => secrets.scrub(text),
      });
    }
    const { url, headers } = address.request(secrets);
    // The interface of the SDK's class is wider than its declared one under exactOptionalPropertyTypes.
    return new StreamableHTTPClientTransport(url, {
      requestInit: { headers },
      fetch: this.#answers.wrap(http.fetch),
    }) as Transport;
  }

  async #drop(client: Client): Promise<void> {
    this.#client = undefined;
    await client.close().catch(() => undefined);
  }
}

async function untilAborted<T>(promise: Promise<T>, signal: AbortSignal): Promise<T> {
  signal.throwIfAborted();
  const aborted = Promise.withResolvers<never>();
  const onAbort = () => aborted.reject(signal.reason);
  signal.addEventListener('abort', onAbort, { once: true });
  try {
    return await Promise.race([promise, aborted.promise]);
  } finally {
    signal.removeEventListener('abort', onAbort);
  }
}

function unavailable(reason: string): FloorwalkerError {
  return new FloorwalkerError('tool_unavailable', reason);
}
