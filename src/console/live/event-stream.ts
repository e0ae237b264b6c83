import { createParser, type EventSourceMessage } from 'eventsource-parser';
import { Problem } from '../client/problem.ts';

export type Connection =
  | { readonly state: 'connecting' }
  | { readonly state: 'live' }
  /** The stream is there, and the server itself can't read what happens. */
  | { readonly state: 'delayed' }
  | { readonly state: 'lost'; readonly reason: 'offline' | 'broken' | 'refused' };

export interface EventStreamDeps {
  /** Asks for the stream; called anew for each attempt, with a token that is valid then. */
  readonly open: (lastEventId: string | undefined, signal: AbortSignal) => Promise<Response>;
  readonly onEvent: (event: EventSourceMessage) => void;
  readonly onConnection: (connection: Connection) => void;
  readonly timers?: Pick<typeof globalThis, 'setTimeout' | 'clearTimeout'>;
  readonly random?: () => number;
}

const FIRST_RETRY_MS = 500;
const LONGEST_RETRY_MS = 15_000;
/** The server writes a heartbeat every 15 s; after two missed ones the connection is dead, whatever TCP says. */
const SILENT_MS = 35_000;

/**
 * Server-sent events over fetch, because EventSource can't send a header. It comes back by itself, and asks for what
 * it missed with the last id that was handled.
 */
export class EventStream {
  readonly #deps: EventStreamDeps;
  readonly #timers: Pick<typeof globalThis, 'setTimeout' | 'clearTimeout'>;
  readonly #random: () => number;
  #lastEventId: string | undefined;
  #attempt: AbortController | undefined;
  #retry: ReturnType<typeof setTimeout> | undefined;
  #failures = 0;
  #stopped = true;

  constructor(deps: EventStreamDeps) {
    this.#deps = deps;
    this.#timers = deps.timers ?? {
      setTimeout: setTimeout.bind(globalThis),
      clearTimeout: clearTimeout.bind(globalThis),
    };
    this.#random = deps.random ?? Math.random;
  }

  start(): void {
    this.#stopped = false;
    this.#deps.onConnection({ state: 'connecting' });
    this.#connect();
  }

  stop(): void {
    this.#stopped = true;
    this.#timers.clearTimeout(this.#retry);
    this.#attempt?.abort();
  }

  /** Opens it again at once and without a word: with a new token, or when the network has come back. */
  renew(): void {
    if (this.#stopped) return;
    this.#failures = 0;
    this.#connect();
  }

  /** The browser says that there is no network: no use in waiting for a time-out. */
  goOffline(): void {
    if (this.#stopped) return;
    this.#attempt?.abort();
    this.#attempt = undefined;
    this.#timers.clearTimeout(this.#retry);
    this.#deps.onConnection({ state: 'lost', reason: 'offline' });
    // Some browsers are wrong about it.
    this.#retry = this.#timers.setTimeout(() => this.#connect(), LONGEST_RETRY_MS);
  }

  #connect(): void {
    this.#timers.clearTimeout(this.#retry);
    this.#attempt?.abort();
    const attempt = new AbortController();
    this.#attempt = attempt;
    this.#read(attempt.signal).then(
      // The server closes a stream in good order, for example when it stops: another one takes over.
      () => this.#again(attempt, 'broken'),
      (error: unknown) =>
        this.#again(attempt, error instanceof Problem && error.status === 403 ? 'refused' : 'broken'),
    );
  }

  #again(attempt: AbortController, reason: 'broken' | 'refused'): void {
    if (this.#stopped || this.#attempt !== attempt) return;
    const longest = Math.min(LONGEST_RETRY_MS, FIRST_RETRY_MS * 2 ** this.#failures);
    this.#failures += 1;
    this.#deps.onConnection({ state: 'lost', reason });
    // Spread, so that a restarted server does not meet all its listeners in one instant.
    const delay = longest * (0.5 + this.#random() / 2);
    this.#retry = this.#timers.setTimeout(() => this.#connect(), delay);
  }

  async #read(signal: AbortSignal): Promise<void> {
    const response = await this.#deps.open(this.#lastEventId, signal);
    if (!response.ok || !response.body) {
      await response.body?.cancel();
      throw new Problem(response.status, 'stream_refused', `The stream was refused (${response.status}).`);
    }
    const parser = createParser({
      onEvent: (event) => {
        if (signal.aborted) return;
        if (event.event === 'ready') {
          this.#failures = 0;
          this.#deps.onConnection({ state: 'live' });
        }
        this.#deps.onEvent(event);
        if (event.id !== undefined) this.#lastEventId = event.id;
      },
    });
    const reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
    try {
      for (;;) {
        const { done, value } = await this.#orSilent(reader.read());
        if (done || signal.aborted) return;
        parser.feed(value);
      }
    } finally {
      reader.cancel().catch(() => {});
    }
  }

  async #orSilent<T>(read: Promise<T>): Promise<T> {
    const silent = Promise.withResolvers<never>();
    const timer = this.#timers.setTimeout(() => silent.reject(new Error('no heartbeat')), SILENT_MS);
    try {
      return await Promise.race([read, silent.promise]);
    } finally {
      this.#timers.clearTimeout(timer);
    }
  }
}
