import type { FetchLike } from '@modelcontextprotocol/sdk/shared/transport.js';
import { Agent, buildConnector, fetch as undiciFetch } from 'undici';
import { checkedLookup, checkLiteralHost, type ResolveAddresses } from './address-check.ts';

/** More than any tool result of a conversation; what is longer is cut off with an error. */
const MAX_BODY_BYTES = 4 * 1024 * 1024;
const CONNECT_TIMEOUT_MS = 10_000;

export interface GuardedFetch {
  readonly fetch: FetchLike;
  close(): Promise<void>;
}

/**
 * The only way of the tool layer to the network. The check sits at the socket, where redirects, proxies of
 * names and second look-ups all have to pass; the environment's proxy settings are not used.
 */
export function createGuardedFetch(options: {
  allowPrivateAddresses: boolean;
  resolve?: ResolveAddresses;
  maxBodyBytes?: number;
}): GuardedFetch {
  const { allowPrivateAddresses } = options;
  const connect = buildConnector({
    timeout: CONNECT_TIMEOUT_MS,
    ...(allowPrivateAddresses ? {} : { lookup: checkedLookup(options.resolve) }),
  });
  const agent = new Agent({
    connect: (target, callback) => {
      try {
        if (!allowPrivateAddresses) checkLiteralHost(target.hostname);
      } catch (error) {
        return callback(error instanceof Error ? error : new Error(String(error)), null);
      }
      return connect(target, callback);
    },
    // Tools have a timeout of their own, and a stream for server messages may be silent for hours.
    headersTimeout: 0,
    bodyTimeout: 0,
  });
  const maxBytes = options.maxBodyBytes ?? MAX_BODY_BYTES;
  const guarded: FetchLike = async (url, init) => {
    // The types of undici and of the platform describe the same objects under different names.
    const response = await undiciFetch(url, { ...(init as object), dispatcher: agent });
    return bounded(response as unknown as Response, maxBytes);
  };
  return { fetch: guarded, close: () => agent.destroy() };
}

/** Counts a body and ends it with an error once it is too long; an event stream is counted by the event. */
function bounded(response: Response, maxBytes: number): Response {
  if (response.body === null) return response;
  const isEventStream = response.headers.get('content-type')?.startsWith('text/event-stream') ?? false;
  let bytes = 0;
  const counter = new TransformStream<Uint8Array, Uint8Array>({
    transform(chunk, controller) {
      if (isEventStream && endsEvent(chunk)) bytes = 0;
      bytes += chunk.byteLength;
      if (bytes > maxBytes) controller.error(new Error(`The answer is longer than ${maxBytes} bytes`));
      else controller.enqueue(chunk);
    },
  });
  const { status, statusText, headers } = response;
  return new Response(response.body.pipeThrough(counter), {
    status,
    statusText,
    headers: new Headers(headers),
  });
}

const LINE_FEED = 10;

function endsEvent(chunk: Uint8Array): boolean {
  return chunk.some(
    (byte, index) => byte === LINE_FEED && (chunk[index + 1] === LINE_FEED || chunk[index - 2] === LINE_FEED),
  );
}
