import type { FetchLike } from '@modelcontextprotocol/sdk/shared/transport.js';
import { z } from 'zod';

const requestSchema = z.looseObject({
  method: z.literal('tools/call'),
  params: z.looseObject({ _meta: z.record(z.string(), z.unknown()) }),
});
/** What was read just before the end has to come through the parser first. */
const SETTLE_MS = 100;
const EVENT_ID = /(?:^|\n)id:/;

/**
 * Notices when the stream that was to bring a call's answer ends without one. The SDK's transport only waits
 * on, so that a server's death would be found at the tool's timeout, with the customer in silence until then.
 * A stream whose events have ids is left alone: the transport resumes it.
 */
export class AnswerStreams {
  readonly #lost = new Map<string, () => void>();
  /** Requests that the server made on the stream of a call's answer. */
  readonly #asked = new Map<string | number, string>();
  readonly #metaKey: string;

  constructor(metaKey: string) {
    this.#metaKey = metaKey;
  }

  /** Calls `onLost` when the stream of the call with this key ends. @returns how to stop watching */
  watch(key: string, onLost: () => void): () => void {
    this.#lost.set(key, onLost);
    return () => {
      this.#lost.delete(key);
      for (const [id, owner] of this.#asked) if (owner === key) this.#asked.delete(id);
    };
  }

  /** The key of the call on whose stream the server made this request. */
  callOf(requestId: string | number): string | undefined {
    return this.#asked.get(requestId);
  }

  wrap(fetch: FetchLike): FetchLike {
    return async (url, init) => {
      const response = await fetch(url, init);
      const isStream = response.headers.get('content-type')?.startsWith('text/event-stream') ?? false;
      const key = isStream ? this.#keyOf(init?.body) : undefined;
      if (key === undefined || response.body === null) return response;
      const watched = watchEnd(response.body, {
        onEnd: () => void setTimeout(() => this.#lost.get(key)?.(), SETTLE_MS).unref(),
        onRequest: (id) => {
          if (this.#lost.has(key)) this.#asked.set(id, key);
        },
      });
      const { status, statusText, headers } = response;
      return new Response(watched, { status, statusText, headers });
    };
  }

  #keyOf(body: unknown): string | undefined {
    if (typeof body !== 'string' || !body.includes('"tools/call"')) return undefined;
    const key = requestSchema.safeParse(JSON.parse(body)).data?.params._meta[this.#metaKey];
    return typeof key === 'string' ? key : undefined;
  }
}

const MAX_EVENT_CHARS = 1_000_000;
const serverRequestSchema = z.looseObject({ id: z.union([z.string(), z.number()]), method: z.string() });

/** The id of a server's request in one event of a stream, if that is what it brings. */
function requestIdIn(event: string): string | number | undefined {
  if (!event.includes('"method"') || !event.includes('"id"')) return undefined;
  const data = event
    .split(/\r?\n/)
    .flatMap((line) => (line.startsWith('data:') ? [line.slice(5)] : []))
    .join('\n');
  try {
    return serverRequestSchema.safeParse(JSON.parse(data)).data?.id;
  } catch {
    return undefined;
  }
}

function watchEnd(
  body: ReadableStream<Uint8Array>,
  on: { onEnd(): void; onRequest(id: string | number): void },
): ReadableStream<Uint8Array> {
  const reader = body.getReader();
  const decoder = new TextDecoder();
  let canResume = false;
  let event = '';
  const look = (chunk: Uint8Array): void => {
    const text = decoder.decode(chunk, { stream: true });
    canResume ||= EVENT_ID.test(text);
    const events = (event + text).split(/\r?\n\r?\n/);
    event = (events.pop() ?? '').slice(-MAX_EVENT_CHARS);
    for (const complete of events) {
      const id = requestIdIn(complete);
      if (id !== undefined) on.onRequest(id);
    }
  };
  return new ReadableStream<Uint8Array>({
    async pull(controller) {
      try {
        const { done, value } = await reader.read();
        if (value !== undefined) {
          look(value);
          controller.enqueue(value);
        }
        if (!done) return;
        controller.close();
      } catch (error) {
        controller.error(error);
      }
      if (!canResume) on.onEnd();
    },
    cancel: (reason) => reader.cancel(reason),
  });
}
