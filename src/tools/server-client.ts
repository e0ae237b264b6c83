import { Client } from '@modelcontextprotocol/sdk/client/index.js';
import { SSEClientTransport } from '@modelcontextprotocol/sdk/client/sse.js';
import {
  StreamableHTTPClientTransport,
  StreamableHTTPError,
} from '@modelcontextprotocol/sdk/client/streamableHttp.js';
import type { FetchLike, Transport } from '@modelcontextprotocol/sdk/shared/transport.js';
import type { Log } from '../log.ts';
import type { Secrets } from './secrets.ts';
import type { ServerAddress } from './server-address.ts';
import {
  answerInput,
  answerServerRequests,
  clientCapabilities,
  type ServerRequestDeps,
} from './server-requests.ts';
import { StatelessDialect } from './stateless-dialect.ts';
import { StdioTransport } from './stdio-transport.ts';
import type { CallPeer } from './types.ts';

/** The SDK's own request timer stays out of the way: the tool's timeout is the caller's signal. */
export const NO_SDK_TIMEOUT_MS = 2_147_483_000;
const CLIENT_INFO = { name: 'floorwalker', version: '0.1.0' };
const GOODBYE_MS = 500;
const LOG_LEVEL = 'warning';
/** What a server answers to a handshake that it does not know: one without sessions, or from before streamable HTTP. */
const OTHER_REVISION_STATUS = new Set([400, 404, 405]);
/** A dropped stream is taken up again a few times before the connection counts as lost. */
const RECONNECTION = {
  initialReconnectionDelay: 500,
  maxReconnectionDelay: 10_000,
  reconnectionDelayGrowFactor: 2,
  maxRetries: 5,
};

export interface ServerClientDeps extends ServerRequestDeps {
  readonly address: ServerAddress;
  readonly log: Log;
  readonly secrets: Secrets;
  readonly fetch: FetchLike;
  /** A fetch whose answers are watched for their end. */
  watched(fetch: FetchLike): FetchLike;
  /** Who runs the call with this metadata. */
  peerOfCall(meta: Record<string, unknown>): CallPeer | undefined;
  onTrouble(error: Error): void;
}

/** A connected and initialised client. @throws what `readFailure` reads */
export async function connectClient(deps: ServerClientDeps, signal: AbortSignal): Promise<Client> {
  const { address } = deps;
  if (address.kind === 'stdio') {
    const transport = new StdioTransport({
      program: () => address.program(deps.secrets),
      log: deps.log.child({ server: address.label }),
      scrub: (text) => deps.secrets.scrub(text),
    });
    return initialise(transport, deps, signal);
  }
  const { url, headers } = address.request(deps.secrets);
  const requestInit = { headers };
  const streamable = (fetch: FetchLike) =>
    // The interface of the SDK's classes is wider than their declared one under exactOptionalPropertyTypes.
    new StreamableHTTPClientTransport(url, {
      requestInit,
      fetch: deps.watched(fetch),
      reconnectionOptions: RECONNECTION,
    }) as Transport;
  const stateless = () => initialise(streamable(statelessDialect(deps).fetch), deps, signal);
  if (address.stateless) return stateless();
  try {
    return await initialise(streamable(deps.fetch), deps, signal);
  } catch (error) {
    const isOther = error instanceof StreamableHTTPError && OTHER_REVISION_STATUS.has(error.code ?? 0);
    if (!isOther || signal.aborted) throw error;
    // Newer or older than the handshake that it refused; if neither, what that was answered says more.
    return stateless()
      .catch(() => {
        const sse = new SSEClientTransport(url, { requestInit, fetch: deps.watched(deps.fetch) });
        return initialise(sse as Transport, deps, signal);
      })
      .catch(() => {
        throw error;
      });
  }
}

function statelessDialect(deps: ServerClientDeps): StatelessDialect {
  return new StatelessDialect({
    fetch: deps.fetch,
    clientInfo: CLIENT_INFO,
    capabilities: clientCapabilities(deps),
    answer: (asked, meta, signal) => answerInput(asked, deps.peerOfCall(meta), deps, signal),
  });
}

async function initialise(
  transport: Transport,
  deps: ServerClientDeps,
  signal: AbortSignal,
): Promise<Client> {
  const client = new Client(CLIENT_INFO, { capabilities: clientCapabilities(deps) });
  client.onerror = (error) => deps.onTrouble(error);
  answerServerRequests(client, deps);
  try {
    await client.connect(transport, { signal, timeout: NO_SDK_TIMEOUT_MS });
  } catch (error) {
    await transport.close().catch(() => undefined);
    throw error;
  }
  if (client.getServerCapabilities()?.logging !== undefined) {
    // A courtesy: a server that does not care writes what it likes, and we count its lines.
    void client.setLoggingLevel(LOG_LEVEL).catch(() => undefined);
  }
  return client;
}

/** Ends a connection in order: the session on the server first, where there is one. */
export async function closeClient(client: Client): Promise<void> {
  const transport = client.transport;
  if (transport instanceof StreamableHTTPClientTransport) {
    // The server may free the session; not worth a wait.
    const ended = transport.terminateSession().catch(() => undefined);
    await Promise.race([ended, new Promise((resolve) => setTimeout(resolve, GOODBYE_MS).unref())]);
  }
  await client.close().catch(() => undefined);
}
