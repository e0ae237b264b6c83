import type { Client } from '@modelcontextprotocol/sdk/client/index.js';
import { ErrorCode, McpError } from '@modelcontextprotocol/sdk/types.js';
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
import { describeError, readFailure } from './call-failure.ts';
import { CallPeers } from './call-peers.ts';
import type { GuardedFetch } from './guarded-fetch.ts';
import type { OAuthFetch } from './oauth-fetch.ts';
import type { RepeatedLines } from './repeated-lines.ts';
import { type ToolResult, toolResultSchema } from './result-text.ts';
import type { Secrets } from './secrets.ts';
import type { ServerAddress } from './server-address.ts';
import { closeClient, connectClient, NO_SDK_TIMEOUT_MS } from './server-client.ts';
import { ServerLines } from './server-lines.ts';
import { listServerTools, type ServerTool } from './server-list.ts';
import type { CallPeer, JsonObject } from './types.ts';
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
/** Key of the idempotency key in `_meta` of a call, for servers that know it. */
export const IDEMPOTENCY_META_KEY = 'floorwalker/idempotency-key';

export interface ConnectionDeps {
  readonly log: Log;
  readonly lines: RepeatedLines;
  readonly secrets: Secrets;
  readonly http: GuardedFetch;
  readonly oauth?: OAuthFetch | undefined;
  readonly concurrency: number;
  /** Longer where a person has to consent first. */
  readonly connectLimitMs?: number | undefined;
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
  readonly #connectLimitMs: number;
  readonly #peers: CallPeers;
  readonly #lines: ServerLines;
  /** How many calls wait on a client. */
  readonly #underWay = new WeakMap<Client, number>();
  readonly #retired = new Set<Client>();
  readonly #calls: BulkheadPolicy;
  readonly #breaker: CircuitBreakerPolicy;
  readonly #listeners = new Set<() => void>();
  readonly #closing = new AbortController();
  #client: Promise<Client> | undefined;
  /** What `#client` resolved with. */
  #current: Client | undefined;
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
    this.#connectLimitMs = deps.connectLimitMs ?? CONNECT_LIMIT_MS;
    this.#lines = new ServerLines(address.label, deps);
    this.#peers = new CallPeers(IDEMPOTENCY_META_KEY, (text) => deps.secrets.scrub(text));
    this.#calls = bulkhead(deps.concurrency, deps.concurrency * QUEUE_FACTOR);
    this.#breaker = circuitBreaker(
      handleWhen((error) => error instanceof Unanswered),
      { halfOpenAfter: new ExponentialBackoff(HALF_OPEN), breaker: new ConsecutiveBreaker(DEAD_AFTER_CALLS) },
    );
  }

  /** It has told the log, and tells it when the server is back. */
  get isDown(): boolean {
    return this.#isDown;
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
    const tools = listServerTools(client, AbortSignal.timeout(this.#connectLimitMs), {
      clean: (text) => this.#deps.secrets.scrub(text),
      onUnusable: () =>
        this.#lines.write(
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
      this.#retire(client);
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
    this.#current = undefined;
    if (client !== undefined) await closeClient(client);
    await Promise.all([...this.#retired].map((retired) => retired.close().catch(() => undefined)));
  }

  async #send(tool: string, args: JsonObject, call: ServerCall, onSent: () => void): Promise<ToolResult> {
    const { signal, idempotencyKey, peer } = call;
    const params = { name: tool, arguments: args, _meta: { [IDEMPOTENCY_META_KEY]: idempotencyKey } };
    for (let attempt = 1; ; attempt += 1) {
      const client = await this.#connected(signal);
      const lost = new AbortController();
      const done = this.#peers.add(idempotencyKey, peer, () => {
        lost.abort(new McpError(ErrorCode.ConnectionClosed, 'The stream of the answer ended'));
      });
      try {
        onSent();
        this.#underWay.set(client, (this.#underWay.get(client) ?? 0) + 1);
        return await client.request({ method: 'tools/call', params }, toolResultSchema, {
          signal: AbortSignal.any([signal, lost.signal]),
          timeout: NO_SDK_TIMEOUT_MS,
          ...(peer.progress === undefined
            ? {}
            : { onprogress: (progress) => this.#peers.progress(peer, progress) }),
        });
      } catch (error) {
        const failure = readFailure(error, signal);
        if (failure.sessionLost || failure.kind === 'not_sent') this.#retire(client);
        if (failure.kind === 'timeout') void this.#probe(client);
        // A session that the server no longer knows was found before the tool ran: asking once more repeats nothing.
        if (failure.sessionLost && attempt === 1) continue;
        const isDead = failure.kind === 'timeout' || (failure.kind === 'no_answer' && !signal.aborted);
        throw isDead ? new Unanswered(error) : error;
      } finally {
        done();
        this.#underWay.set(client, (this.#underWay.get(client) ?? 1) - 1);
        this.#closeRetired(client);
      }
    }
  }

  /** The connection, made if need be. Who gives up waiting does not stop it: it may be there for the next call. */
  async #connected(signal: AbortSignal): Promise<Client> {
    if (this.#closing.signal.aborted) throw unavailable('the conversation has ended');
    if (this.#client === undefined) {
      if (performance.now() < this.#notBeforeMs) throw this.#lastFailure;
      const connecting = this.#connect();
      this.#client = connecting;
      connecting.then(
        (client) => this.#onConnected(connecting, client),
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
    const signal = AbortSignal.any([this.#closing.signal, AbortSignal.timeout(this.#connectLimitMs)]);
    return connectClient(
      {
        address,
        log,
        secrets,
        fetch: oauth?.wrap(http.fetch) ?? http.fetch,
        watched: (fetch) => this.#peers.wrap(fetch),
        peerOfCall: (meta) => this.#peers.ofCall(meta),
        clean: (text) => secrets.scrub(text),
        roots: address.kind === 'stdio' ? address.roots : [],
        sampling: address.sampling,
        peerOf: (requestId) => this.#peers.of(requestId),
        onListChanged: () => {
          this.#list = undefined;
          this.#tellListeners();
        },
        onLog: (params) => this.#lines.relay(params),
        onRefused: (what, why) =>
          this.#lines.write(
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

  #onConnected(connecting: Promise<Client>, client: Client): void {
    if (this.#client === connecting) this.#current = client;
    const connectedAtMs = performance.now();
    client.onclose = () => {
      if (!this.#forget(connecting) || this.#closing.signal.aborted) return;
      this.#lines.write('warn', 'ended', {}, 'A tool server has ended; it comes back when it is needed');
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
    this.#isDown = true;
    const reason = this.#deps.secrets.scrub(describeError(error));
    this.#lines.write('warn', 'down', { reason }, 'A tool server can not be used; its tools are unavailable');
    this.#scheduleRetry();
  }

  #reached(): void {
    if (this.#shortLives === 0) this.#pause = new ExponentialBackoff(RECONNECT).next();
    this.#notBeforeMs = 0;
    if (!this.#isDown) return;
    this.#isDown = false;
    this.#lines.over('down', 'A tool server can be reached again');
    this.#tellListeners();
  }

  /** While somebody wants the tools they come back by themselves: one attempt at a time, whoever waits for it. */
  #scheduleRetry(): void {
    if (this.#retry !== undefined || this.#listeners.size === 0) return;
    const waitMs = Math.max(250, this.#notBeforeMs - performance.now());
    this.#retry = setTimeout(() => {
      this.#retry = undefined;
      if (this.#listeners.size === 0 || (this.#client !== undefined && !this.#isDown)) return;
      this.listTools(AbortSignal.timeout(this.#connectLimitMs)).catch(() => this.#scheduleRetry());
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
    this.#current = undefined;
    this.#list = undefined;
    return true;
  }

  /** The next call has a new connection. Those under way on this one are other customers': each gets its own answer. */
  #retire(client: Client): void {
    if (this.#current === client) {
      this.#client = undefined;
      this.#current = undefined;
      this.#list = undefined;
      this.#scheduleRetry();
    }
    this.#retired.add(client);
    this.#closeRetired(client);
  }

  #closeRetired(client: Client): void {
    if ((this.#underWay.get(client) ?? 0) > 0) return;
    if (this.#retired.delete(client)) void client.close().catch(() => undefined);
  }

  /** It answers nobody any more. */
  async #drop(client: Client): Promise<void> {
    this.#retire(client);
    this.#retired.delete(client);
    await client.close().catch(() => undefined);
  }

  async #probe(client: Client): Promise<void> {
    try {
      await client.ping({ timeout: PROBE_MS });
    } catch (error) {
      const answered = error instanceof McpError && error.code !== ErrorCode.RequestTimeout;
      if (answered || this.#closing.signal.aborted) return;
      this.#lines.write('warn', 'hung', {}, 'A tool server hangs; its connection is closed');
      await this.#drop(client);
    }
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
