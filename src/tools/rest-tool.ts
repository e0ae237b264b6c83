import { FloorwalkerError } from '../errors.ts';
import { httpFailure } from './call-failure.ts';
import type { GuardedFetch } from './guarded-fetch.ts';
import type { Secrets } from './secrets.ts';
import { httpTarget } from './server-address.ts';
import type { RestToolConfig } from './tool-config.ts';
import type { JsonObject } from './types.ts';

const MAX_REDIRECTS = 3;

export type RestResult =
  | { readonly ok: true; readonly text: string; readonly full: unknown }
  | {
      readonly ok: false;
      readonly failure: ReturnType<typeof httpFailure>;
      readonly text: string;
      readonly full: unknown;
    };

/**
 * Calls a plain REST endpoint: `{name}` in its path takes the argument of that name, the others go into the
 * query (GET, DELETE) or a JSON body. @throws what `readFailure` reads
 */
export async function callRest(
  rowName: string,
  tool: RestToolConfig,
  args: JsonObject,
  deps: { secrets: Secrets; http: GuardedFetch; idempotencyKey: string; signal: AbortSignal },
): Promise<RestResult> {
  const rest = { ...args };
  const endpoint = fillPath(tool.endpoint, rest);
  const { url, headers } = httpTarget(rowName, { ...tool, endpoint }, deps.secrets);
  const hasBody = tool.method !== 'GET' && tool.method !== 'DELETE';
  if (!hasBody) for (const [name, value] of Object.entries(rest)) appendQuery(url, name, value);
  const init: RequestInit = {
    method: tool.method,
    headers: {
      accept: 'application/json, text/plain;q=0.9, */*;q=0.1',
      ...(hasBody ? { 'content-type': 'application/json' } : {}),
      'idempotency-key': deps.idempotencyKey,
      ...headers,
    },
    body: hasBody ? JSON.stringify(rest) : null,
    redirect: 'manual',
    signal: deps.signal,
  };
  const response = await follow(deps.http, url, init);
  const text = await response.text();
  const full = { status: response.status, body: readBody(text) };
  if (response.ok) return { ok: true, text, full };
  return { ok: false, failure: httpFailure(response.status), text, full };
}

function readBody(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return text;
  }
}

/** Replaces `{name}` and takes the argument out of `args`; a value can't climb out of its path segment. */
function fillPath(endpoint: string, args: JsonObject): string {
  return endpoint.replace(/(?<!\$)\{([A-Za-z0-9_]+)\}/g, (placeholder, name: string) => {
    const value = args[name];
    if (value === undefined || value === null || typeof value === 'object') {
      throw new FloorwalkerError('tool_config_invalid', `The endpoint needs the argument ${placeholder}.`);
    }
    delete args[name];
    const segment = encodeURIComponent(String(value));
    if (segment === '' || /^\.{1,2}$/.test(segment)) {
      throw new FloorwalkerError(
        'tool_config_invalid',
        `The argument ${placeholder} can't be part of an address.`,
      );
    }
    return segment;
  });
}

function appendQuery(url: URL, name: string, value: unknown): void {
  if (value === undefined || value === null) return;
  if (Array.isArray(value)) for (const part of value) appendQuery(url, name, part);
  else url.searchParams.append(name, typeof value === 'object' ? JSON.stringify(value) : String(value));
}

/**
 * Follows redirects within the origin that keep the method. Any other would carry the customer's data, or a
 * secret, to a place that nobody configured.
 */
async function follow(http: GuardedFetch, start: URL, init: RequestInit): Promise<Response> {
  let url = start;
  for (let redirects = 0; ; redirects += 1) {
    const response = await http.fetch(url, init);
    const location = response.headers.get('location');
    if (response.status < 300 || response.status > 399 || location === null) return response;
    await response.body?.cancel();
    const next = URL.canParse(location, url) ? new URL(location, url) : undefined;
    const keepsMethod = init.method === 'GET' || response.status === 307 || response.status === 308;
    if (next?.origin !== url.origin || !keepsMethod || redirects >= MAX_REDIRECTS) {
      throw new FloorwalkerError(
        'tool_address_refused',
        'The server redirects to another place, which is not followed.',
      );
    }
    url = next;
  }
}
