import { randomUUID } from 'node:crypto';

/** Sends one message; may fail, then it is sent again. */
export type Send = (message: { id: string; text: string }) => Promise<void>;

interface Waiting {
  readonly id: string;
  readonly text: string;
  attempts: number;
  lastSentMs: number;
}

const REPEAT_AFTER_MS = 3_000;
/** An agent of another make may not acknowledge at all; after this it counts as received. */
const MAX_ATTEMPTS = 8;

/**
 * Keeps what the customer wrote until an agent says that it is stored. Text reaches only those who are in
 * the room at that moment, so whatever is not acknowledged is sent again, under the same id, when an agent
 * (re)appears, and after a while in any case; the agent drops what it has already.
 */
export class ChatOutbox {
  readonly #send: Send;
  readonly #waiting = new Map<string, Waiting>();
  #timer: NodeJS.Timeout | undefined;
  #agentPresent = false;
  #flushing: Promise<void> = Promise.resolve();

  constructor(send: Send) {
    this.#send = send;
  }

  /** Messages that no agent has acknowledged yet. */
  get pending(): number {
    return this.#waiting.size;
  }

  write(text: string): string {
    const id = randomUUID();
    this.#waiting.set(id, { id, text, attempts: 0, lastSentMs: 0 });
    this.#flush(({ attempts }) => attempts === 0);
    return id;
  }

  acknowledged(id: string): void {
    this.#waiting.delete(id);
    if (this.#waiting.size === 0) this.#stopTimer();
  }

  agentAppeared(): void {
    this.#agentPresent = true;
    this.#flush(() => true);
  }

  agentGone(): void {
    this.#agentPresent = false;
  }

  close(): void {
    this.#stopTimer();
    this.#waiting.clear();
  }

  /** One after the other: the agent reads messages in the order in which they were written. */
  #flush(which: (waiting: Waiting) => boolean): void {
    this.#flushing = this.#flushing.then(async () => {
      for (const waiting of [...this.#waiting.values()]) {
        if (!this.#agentPresent || !this.#waiting.has(waiting.id) || !which(waiting)) continue;
        waiting.attempts += 1;
        waiting.lastSentMs = Date.now();
        // What can't be sent now goes out again like what got lost on the way.
        await this.#send({ id: waiting.id, text: waiting.text }).catch(() => undefined);
        if (waiting.attempts >= MAX_ATTEMPTS) this.#waiting.delete(waiting.id);
      }
      if (this.#waiting.size > 0) this.#startTimer();
    });
  }

  #startTimer(): void {
    this.#timer ??= setInterval(() => {
      this.#flush(({ attempts, lastSentMs }) => attempts > 0 && Date.now() - lastSentMs >= REPEAT_AFTER_MS);
    }, 1_000);
  }

  #stopTimer(): void {
    clearInterval(this.#timer);
    this.#timer = undefined;
  }
}
