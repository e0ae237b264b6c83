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
  readonly #metaKey: string;

  constructor(metaKey: string) {
    this.#metaKey = metaKey;
  }

  /** Calls `onLost` when the stream of the call with this key ends. @returns how to stop watching */
  watch(key: string, onLost: () => void): () => void {
    this.#lost.set(key, onLost);
    return () => this.#lost.delete(key);
  }

  wrap(fetch: FetchLike): FetchLike {
    return async (url, init) => {
      const response = await fetch(url, init);
      const isStream = response.headers.get('content-type')?.startsWith('text/event-stream') ?? false;
      const key = isStream ? this.#keyOf(init?.body) : undefined;
      if (key === undefined || response.body === null) return response;
      const watched = watchEnd(response.body, () => {
        setTimeout(() => this.#lost.get(key)?.(), SETTLE_MS).unref();
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

function watchEnd(body: ReadableStream<Uint8Array>, onEnd: () => void): ReadableStream<Uint8Array> {
  const reader = body.getReader();
  const decoder = new TextDecoder();
  let canResume = false;
  return new ReadableStream<Uint8Array>({
    async pull(controller) {
      try {
        const { done, value } = await reader.read();
        if (value !== undefined) {
          canResume ||= EVENT_ID.test(decoder.decode(value, { stream: true }));
          controller.enqueue(value);
        }
        if (!done) return;
        controller.close();
      } catch (error) {
        controller.error(error);
      }
      if (!canResume) onEnd();
    },
    cancel: (reason) => reader.cancel(reason),
  });
}
