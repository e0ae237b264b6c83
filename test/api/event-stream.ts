import { createParser, type EventSourceMessage } from 'eventsource-parser';
import { z } from 'zod';
import { eventually } from './support.ts';

export interface StreamEvent {
  readonly id: string | undefined;
  readonly name: string;
  readonly data: Record<string, unknown>;
}

export interface OpenStream {
  readonly status: number;
  readonly headers: Headers;
  /** What came so far, but for `ready`. */
  readonly events: readonly StreamEvent[];
  readonly comments: readonly string[];
  readonly ready: StreamEvent;
  readonly lastEventId: string | undefined;
  /** True when the server has ended it. */
  readonly ended: boolean;
  next(label: string, wanted: (event: StreamEvent) => boolean): Promise<StreamEvent>;
  of(name: string): readonly StreamEvent[];
  end(): Promise<void>;
  close(): void;
}

const dataSchema = z.record(z.string(), z.unknown());

/** Opens the event stream as the console does, and waits until it is ready. */
export async function openStream(
  url: string,
  token: string,
  options: { lastEventId?: string | undefined; query?: string } = {},
): Promise<OpenStream> {
  const abort = new AbortController();
  const response = await fetch(`${url}/v1/events${options.query ?? ''}`, {
    headers: {
      authorization: `Bearer ${token}`,
      ...(options.lastEventId === undefined ? {} : { 'last-event-id': options.lastEventId }),
    },
    signal: abort.signal,
  });
  if (!response.ok || response.body === null)
    throw new Error(`refused: ${response.status} ${await response.text()}`);
  const all: StreamEvent[] = [];
  const comments: string[] = [];
  let lastEventId = options.lastEventId;
  let ended = false;
  const parser = createParser({
    onEvent: ({ id, event, data }: EventSourceMessage) => {
      all.push({ id, name: event ?? 'message', data: dataSchema.parse(JSON.parse(data)) });
      if (id !== undefined) lastEventId = id;
    },
    onComment: (comment) => comments.push(comment),
  });
  const decoder = new TextDecoder();
  const reading = (async () => {
    try {
      for await (const chunk of response.body as AsyncIterable<Uint8Array>) {
        parser.feed(decoder.decode(chunk, { stream: true }));
      }
      ended = true;
    } catch (error) {
      if (!abort.signal.aborted) ended = true;
      else if (!(error instanceof Error)) throw error;
    }
  })();
  const events = () => all.filter(({ name }) => name !== 'ready');
  const ready = await eventually('the stream is ready', () => all.find(({ name }) => name === 'ready'));
  return {
    status: response.status,
    headers: response.headers,
    get events() {
      return events();
    },
    comments,
    ready,
    get lastEventId() {
      return lastEventId;
    },
    get ended() {
      return ended;
    },
    next: (label, wanted) => eventually(label, () => events().find(wanted)),
    of: (name) => all.filter((event) => event.name === name),
    end: async () => {
      await eventually('the stream ends', () => (ended ? true : undefined));
      await reading;
    },
    close: () => abort.abort(),
  };
}
