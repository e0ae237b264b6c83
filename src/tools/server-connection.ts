import type { Client } from '@modelcontextprotocol/sdk/client/index.js';
import { ErrorCode, type LoggingMessageNotification, McpError } from '@modelcontextprotocol/sdk/types.js';
import {
  BrokenCircuitError,
  type BulkheadPolicy,
  BulkheadRejectedError,
  bulkhead,
  type CircuitBreakerPolicy,
  ConsecutiveBreaker,
  circuitBreaker,
  ExponentialBackoff,
  halfJitterGenerator,
  handleWhen,
  type IBackoff,
} from 'cockatiel';
import { FloorwalkerError } from '../errors.ts';
import type { Log } from '../log.ts';
import { AnswerStreams } from './answer-stream.ts';
import { readFailure } from './call-failure.ts';
import type { GuardedFetch } from './guarded-fetch.ts';
import type { OAuthFetch } from './oauth-fetch.ts';
import type { RepeatedLines } from './repeated-lines.ts';
import { type ToolResult, toolResultSchema } from './result-text.ts';
import type { Secrets } from './secrets.ts';
import type { ServerAddress } from './server-address.ts';
import { closeClient, connectClient, NO_SDK_TIMEOUT_MS } from './server-client.ts';
import { listServerTools, type ServerTool } from './server-list.ts';
import type { CallPeer, JsonObject, ToolProgress } from './types.ts';
import { untilAborted } from './until-aborted.ts';

/** A program may need longer to start than a conversation waits for its tools. */
const CONNECT_LIMIT_MS = 30_000;
const RECONNECT = { initialDelay: 500, maxDelay: 30_000, exponent: 2, generator: halfJitterGenerator };
/** So many calls in a row without an answer, and the next are refused at once for a while. */
const DEAD_AFTER_CALLS = 5;
const HALF_OPEN = { initialDelay: 2_000, maxDelay: 60_000, exponent: 2, generator: halfJitterGenerator };
const QUEUE_FACTOR = 8;
/** A server that did not answer a call and does not answer this either has hung; it is started anew. */
const PROBE_MS = 10_000;
/** A server that ended sooner after its start than this may be one that ends again and again. */
const SHORT_LIFE_MS = 10_000;
const MAX_SHORT_LIVES = 3;
/** Servers that do not announce changes are asked again. */
const LIST_FRESH_MS = 60_000;
const MAX_PROGRESS_CHARS = 200;
/** Key of the idempotency key in `_meta` of a call, for servers that know it. */
export const IDEMPOTENCY_META_KEY = 'floorwalker/idempotency-key';

export interface ConnectionDeps {
  readonly log: Log;
  readonly lines: RepeatedLines;
  readonly secrets: Secrets;
  readonly http: GuardedFetch;
  readonly oauth?: OAuthFetch | undefined;
  readonly concurrency: number;
}

export interface ServerCall {
  readonly idempotencyKey: string;
  readonly signal: AbortSignal;
  readonly peer: CallPeer;
}

/**
 * One connection to one MCP server, for all interactions of a business in this process. It connects when it is
 * first needed, again after it was lost, and while the server is down not more often than with growing pauses.
 */
export class ServerConnection {
  readonly label: string;
  readonly #address: ServerAddress;
  readonly #deps: ConnectionDeps;
  readonly #answers = new AnswerStreams(IDEMPOTENCY_META_KEY);
  readonly #calls: BulkheadPolicy;
  readonly #breaker: CircuitBreakerPolicy;
  readonly #listeners = new Set<() => void>();
  readonly #peers = new Map<string, CallPeer>();
  readonly #closing = new AbortController();
  #client: Promise<Client> | undefined;
  #list: { client: Client; tools: Promise<ServerTool[]>; atMs: number } | undefined;
  #lastFailure: unknown;
  #pause: IBackoff<unknown> = new ExponentialBackoff(RECONNECT).next();
  #notBeforeMs = 0;
  #retry: NodeJS.Timeout | undefined;
  #isDown = false;
  #shortLives = 0;

  constructor(address: ServerAddress, deps: ConnectionDeps) {
    this.label = address.label;
    this.#address = address;
    this.#deps = deps;
    this.#calls = bulkhead(deps.concurrency, deps.concurrency * QUEUE_FACTOR);
    this.#breaker = circuitBreaker(
      handleWhen((error) => error instanceof Unanswered),
      { halfOpenAfter: new ExponentialBackoff(HALF_OPEN), breaker: new ConsecutiveBreaker(DEAD_AFTER_CALLS) },
    );
  }

  /** Calls `listener` whenever the tools may be others than before. @returns how to stop */
  onChanged(listener: () => void): () => void {
    this.#listeners.add(listener);
    return () => {
      this.#listeners.delete(listener);
      if (this.#listeners.size === 0) this.#stopRetrying();
    };
  }

  /** All tools of the server. Everybody who asks at the same time shares one question. */
  async listTools(signal: AbortSignal): Promise<readonly ServerTool[]> {
    const client = await this.#connected(signal);
    const known = this.#list;
    const announces = client.getServerCapabilities()?.tools?.listChanged === true;
    const isFresh = known?.client === client && (announces || performance.now() - known.atMs < LIST_FRESH_MS);
    if (isFresh) return untilAborted(known.tools, signal);
    const tools = listServerTools(client, AbortSignal.timeout(CONNECT_LIMIT_MS), {
      onUnusable: () =>
        this.#write(
          'warn',
          'unusable',
          {},
          'A tool server lists a tool that breaks the protocol; it is left out',
        ),
    });
    const list = { client, tools, atMs: performance.now() };
    this.#list = list;
    tools.catch((error: unknown) => {
      if (this.#list === list) this.#list = undefined;
      this.#failed(error);
      // It was connected and does not list: a new connection may do better.
      void this.#drop(client);
    });
    try {
      const listed = await untilAborted(tools, signal);
      this.#reached();
      return listed;
    } catch (error) {
      if (signal.aborted) void tools.then(() => this.#tellListeners()).catch(() => undefined);
      throw error;
    }
  }

  /** @throws what `readFailure` reads */
  async callTool(tool: string, args: JsonObject, call: ServerCall): Promise<ToolResult> {
    let wasSent = false;
    try {
      return await untilAborted(
        this.#calls.execute(async () => {
          call.signal.throwIfAborted();
          return this.#breaker.execute(() => this.#send(tool, args, call, () => (wasSent = true)));
        }, call.signal),
        call.signal,
        // A call that is under way settles by itself, with its cancellation told to the server.
        () => !wasSent,
      );
    } catch (error) {
      if (error instanceof Unanswered) throw error.cause;
      if (error instanceof BulkheadRejectedError)
        throw unavailable('its server has too much to do at the moment');
      if (error instanceof BrokenCircuitError) throw unavailable('its server does not answer at the moment');
      if (!wasSent && call.signal.aborted) throw unavailable('its server was not free in time', error);
      throw error;
    }
  }

  async close(): Promise<void> {
    this.#closing.abort(unavailable('the conversation has ended'));
    this.#stopRetrying();
    this.#listeners.clear();
    const client = await this.#client?.catch(() => undefined);
    this.#client = undefined;
    if (client !== undefined) await closeClient(client);
  }

  async #send(tool: string, args: JsonObject, call: ServerCall, onSent: () => void): Promise<ToolResult> {
    const { signal, idempotencyKey, peer } = call;
    const params = { name: tool, arguments: args, _meta: { [IDEMPOTENCY_META_KEY]: idempotencyKey } };
    for (let attempt = 1; ; attempt += 1) {
      const client = await this.#connected(signal);
      const lost = new AbortController();
      const unwatch = this.#answers.watch(idempotencyKey, () => {
        lost.abort(new McpError(ErrorCode.ConnectionClosed, 'The stream of the answer ended'));
      });
      this.#peers.set(idempotencyKey, peer);
      try {
        onSent();
        return await client.request({ method: 'tools/call', params }, toolResultSchema, {
          signal: AbortSignal.any([signal, lost.signal]),
          timeout: NO_SDK_TIMEOUT_MS,
          ...(peer.progress === undefined
            ? {}
            : { onprogress: (progress) => this.#progress(peer, progress) }),
        });
      } catch (error) {
        const failure = readFailure(error, signal);
        if (failure.sessionLost || failure.kind === 'not_sent') await this.#drop(client);
        if (failure.kind === 'timeout') void this.#probe(client);
        // A session that the server no longer knows was found before the tool ran: asking once more repeats nothing.
        if (failure.sessionLost && attempt === 1) continue;
        const isDead = failure.kind === 'timeout' || (failure.kind === 'no_answer' && !signal.aborted);
        throw isDead ? new Unanswered(error) : error;
      } finally {
        unwatch();
        this.#peers.delete(idempotencyKey);
      }
    }
  }

  #progress(peer: CallPeer, { progress, total, message }: ToolProgress): void {
    const words =
      message === undefined
        ? {}
        : { message: this.#deps.secrets.scrub(message).slice(0, MAX_PROGRESS_CHARS) };
    peer.progress?.({ progress, total, ...words });
  }

  /**
   * Whose call a request of the server is for. Over HTTP its stream says so; otherwise it is certain only while
   * calls of a single interaction are under way.
   */
  #peerOf(requestId: string | number): CallPeer | undefined {
    const key = this.#answers.callOf(requestId);
    if (key !== undefined) return this.#peers.get(key);
    const peers = [...this.#peers.values()];
    const [first] = peers;
    return peers.every((peer) => peer.interactionId === first?.interactionId) ? first : undefined;
  }

  /** The connection, made if need be. Who gives up waiting does not stop it: it may be there for the next call. */
  async #connected(signal: AbortSignal): Promise<Client> {
    if (this.#closing.signal.aborted) throw unavailable('the conversation has ended');
    if (this.#client === undefined) {
      if (performance.now() < this.#notBeforeMs) throw this.#lastFailure;
      const connecting = this.#connect();
      this.#client = connecting;
      connecting.then(
        () => this.#onConnected(connecting),
        (error: unknown) => {
          this.#forget(connecting);
          this.#failed(error);
        },
      );
    }
    const connecting = this.#client;
    try {
      return await untilAborted(connecting, signal);
    } catch (error) {
      if (signal.aborted)
        connecting.then(
          () => this.#tellListeners(),
          () => undefined,
        );
      throw error;
    }
  }

  async #connect(): Promise<Client> {
    const { log, secrets, http, oauth } = this.#deps;
    const address = this.#address;
    const signal = AbortSignal.any([this.#closing.signal, AbortSignal.timeout(CONNECT_LIMIT_MS)]);
    return connectClient(
      {
        address,
        log,
        secrets,
        fetch: this.#answers.wrap(oauth?.wrap(http.fetch) ?? http.fetch),
        roots: address.kind === 'stdio' ? address.roots : [],
        sampling: address.sampling,
        peerOf: (requestId) => this.#peerOf(requestId),
        onListChanged: () => {
          this.#list = undefined;
          this.#tellListeners();
        },
        onLog: (params) => this.#onServerLog(params),
        onRefused: (what, why) =>
          this.#write(
            'warn',
            `refused ${what} ${why}`,
            { what, why },
            'A request of a tool server was not granted',
          ),
        onTrouble: (error) =>
          log.debug(
            { server: this.label, reason: secrets.scrub(error.message).slice(0, 300) },
            'A tool server connection reports trouble',
          ),
      },
      signal,
    );
  }

  async #onConnected(connecting: Promise<Client>): Promise<void> {
    const client = await connecting;
    const connectedAtMs = performance.now();
    client.onclose = () => {
      if (!this.#forget(connecting) || this.#closing.signal.aborted) return;
      this.#write('warn', 'ended', {}, 'A tool server has ended; it is started or called again when needed');
      const isShort = performance.now() - connectedAtMs < SHORT_LIFE_MS;
      this.#shortLives = isShort ? this.#shortLives + 1 : 0;
      if (this.#shortLives >= MAX_SHORT_LIVES) this.#failed(unavailable('its server ends again and again'));
      else this.#scheduleRetry();
    };
  }

  #failed(error: unknown): void {
    if (this.#closing.signal.aborted) return;
    this.#lastFailure = error;
    this.#notBeforeMs = performance.now() + this.#pause.duration;
    this.#pause = this.#pause.next(undefined);
    if (!this.#isDown) {
      this.#isDown = true;
      const reason = this.#deps.secrets.scrub(describeError(error));
      this.#deps.log.warn(
        { server: this.label, reason },
        'A tool server can not be used; its tools are unavailable',
      );
    }
    this.#scheduleRetry();
  }

  #reached(): void {
    if (this.#shortLives === 0) this.#pause = new ExponentialBackoff(RECONNECT).next();
    this.#notBeforeMs = 0;
    if (!this.#isDown) return;
    this.#isDown = false;
    this.#deps.log.info({ server: this.label }, 'A tool server can be reached again');
    this.#tellListeners();
  }

  /** While somebody wants the tools they come back by themselves: one attempt at a time, whoever waits for it. */
  #scheduleRetry(): void {
    if (this.#retry !== undefined || this.#listeners.size === 0) return;
    const waitMs = Math.max(250, this.#notBeforeMs - performance.now());
    this.#retry = setTimeout(() => {
      this.#retry = undefined;
      if (this.#listeners.size === 0 || (this.#client !== undefined && !this.#isDown)) return;
      this.listTools(AbortSignal.timeout(CONNECT_LIMIT_MS)).catch(() => this.#scheduleRetry());
    }, waitMs).unref();
  }

  #stopRetrying(): void {
    clearTimeout(this.#retry);
    this.#retry = undefined;
  }

  #tellListeners(): void {
    for (const listener of this.#listeners) listener();
  }

  /** True if that was the connection in use. */
  #forget(connection: Promise<Client>): boolean {
    if (this.#client !== connection) return false;
    this.#client = undefined;
    this.#list = undefined;
    return true;
  }

  async #drop(client: Client): Promise<void> {
    const current = await this.#client?.catch(() => undefined);
    if (current === client) {
      this.#client = undefined;
      this.#list = undefined;
      this.#scheduleRetry();
    }
    await client.close().catch(() => undefined);
  }

  async #probe(client: Client): Promise<void> {
    try {
      await client.ping({ timeout: PROBE_MS });
    } catch (error) {
      const answered = error instanceof McpError && error.code !== ErrorCode.RequestTimeout;
      if (answered || this.#closing.signal.aborted) return;
      this.#write('warn', 'hung', {}, 'A tool server hangs; its connection is closed');
      await this.#drop(client);
    }
  }

  #onServerLog({ level, logger, data }: LoggingMessageNotification['params']): void {
    const words = typeof data === 'string' ? data : JSON.stringify(data ?? null);
    const line = this.#deps.secrets.scrub(words.slice(0, 500));
    // What a server writes about its own work may be about a customer: for debugging only.
    this.#deps.log.debug({ server: this.label, serverLevel: level, logger, line }, 'A tool server logs');
    this.#write('info', `log ${level}`, { serverLevel: level }, 'A tool server reports trouble of its own');
  }

  #write(level: 'info' | 'warn', key: string, fields: object, message: string): void {
    this.#deps.lines.write(level, `${this.label} ${key}`, { server: this.label, ...fields }, message);
  }
}

/** A request that went out and got no answer: what the breaker counts. */
class Unanswered extends Error {
  constructor(cause: unknown) {
    super('No answer', { cause });
  }
}

function unavailable(reason: string, cause?: unknown): FloorwalkerError {
  return new FloorwalkerError('tool_unavailable', reason, cause === undefined ? {} : { cause });
}

/** For the log and the trace: the error and what caused it, without a stack. */
export function describeError(error: unknown): string {
  const parts: string[] = [];
  for (
    let current = error, depth = 0;
    current instanceof Error && depth < 4;
    current = current.cause, depth += 1
  ) {
    parts.push(current.message);
    if (current instanceof FloorwalkerError && Object.keys(current.details).length > 0)
      parts.push(JSON.stringify(current.details));
  }
  return parts.join(': ').slice(0, 500) || String(error).slice(0, 500);
}
