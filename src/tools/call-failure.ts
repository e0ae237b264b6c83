import { StreamableHTTPError } from '@modelcontextprotocol/sdk/client/streamableHttp.js';
import { ErrorCode, McpError } from '@modelcontextprotocol/sdk/types.js';
import { FloorwalkerError, isFloorwalkerError } from '../errors.ts';

/**
 * What a failed request means for its effect. `not_sent`: the server never saw it. `answered`: it answered that
 * it did not do it. `no_answer`: it may have been done. `timeout` is `no_answer` after the tool's own time.
 */
export interface CallFailure {
  readonly kind: 'not_sent' | 'answered' | 'no_answer' | 'timeout';
  /** For the model: without addresses, secrets or stack. */
  readonly message: string;
  /** The server did nothing and may do it a moment later. */
  readonly isBusy?: boolean;
  /** The server forgot our session: a new one may do. */
  readonly sessionLost?: boolean;
}

/** Errors of a connection that was never made (Node.js `errors`, getaddrinfo, TLS verification). */
const NOT_CONNECTED = new Set([
  'ECONNREFUSED',
  'ENOTFOUND',
  'EAI_AGAIN',
  'EHOSTUNREACH',
  'ENETUNREACH',
  'UND_ERR_CONNECT_TIMEOUT',
  'CERT_HAS_EXPIRED',
  'DEPTH_ZERO_SELF_SIGNED_CERT',
  'SELF_SIGNED_CERT_IN_CHAIN',
  'UNABLE_TO_VERIFY_LEAF_SIGNATURE',
  'ERR_TLS_CERT_ALTNAME_INVALID',
  'ENOENT',
  'EACCES',
]);

function* causes(error: unknown): Generator<unknown> {
  let current = error;
  for (let depth = 0; depth < 6 && current !== undefined && current !== null; depth += 1) {
    yield current;
    if (current instanceof AggregateError) yield* current.errors;
    current = current instanceof Error ? current.cause : undefined;
  }
}

/** The address or secret check that stopped a request, however deep undici wrapped it. */
export function refusalWithin(error: unknown): FloorwalkerError | undefined {
  for (const cause of causes(error)) if (isFloorwalkerError(cause)) return cause;
  return undefined;
}

function wasNeverSent(error: unknown): boolean {
  for (const cause of causes(error)) {
    if (cause instanceof Error && 'code' in cause && NOT_CONNECTED.has(String(cause.code))) return true;
  }
  return false;
}

export function httpFailure(status: number): CallFailure {
  if (status === 401 || status === 403)
    return { kind: 'answered', message: 'its server refused our credentials' };
  if (status === 429)
    return { kind: 'answered', message: 'its server has too many requests at the moment', isBusy: true };
  if (status === 503)
    return { kind: 'answered', message: 'its server is not available at the moment', isBusy: true };
  // A gateway's 502 and 504, and a crash (500), say nothing about what was done before.
  if (status >= 500) return { kind: 'no_answer', message: 'its server failed' };
  return { kind: 'answered', message: `its server answered with HTTP status ${status}` };
}

/** Reads any error of a tool request. */
export function readFailure(error: unknown, signal: AbortSignal): CallFailure {
  const refusal = refusalWithin(error);
  if (refusal !== undefined) {
    const message =
      refusal.code === 'tool_unavailable' ? refusal.message : 'it is not configured in a permitted way';
    return { kind: 'not_sent', message };
  }
  if (wasNeverSent(error)) return { kind: 'not_sent', message: 'its server can not be reached' };
  if (signal.aborted) {
    const isTimeout = signal.reason instanceof DOMException && signal.reason.name === 'TimeoutError';
    return isTimeout
      ? { kind: 'timeout', message: 'it did not answer in time' }
      : { kind: 'no_answer', message: 'it was stopped' };
  }
  if (error instanceof StreamableHTTPError && error.code !== undefined) {
    // The protocol says 404 for a session that the server does not know; many servers say 400.
    if (error.code === 404 || error.code === 400)
      return { kind: 'answered', message: 'its server did not accept the request', sessionLost: true };
    return httpFailure(error.code > 0 ? error.code : 500);
  }
  if (error instanceof McpError) {
    if (error.code === ErrorCode.ConnectionClosed) return { kind: 'no_answer', message: 'its server ended' };
    if (error.code === ErrorCode.RequestTimeout)
      return { kind: 'timeout', message: 'it did not answer in time' };
    return { kind: 'answered', message: error.message.replace(/^MCP error -?\d+: /, '').slice(0, 1_000) };
  }
  return { kind: 'no_answer', message: 'its server gave no usable answer' };
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
