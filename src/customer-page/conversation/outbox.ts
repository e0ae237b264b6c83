/** A message of the customer that no agent has stored yet. */
export interface Unstored {
  readonly id: string;
  readonly text: string;
  readonly at: number;
}

export interface OutboxDeps {
  /** May fail; then the message goes out again like one that got lost on the way. */
  send(message: Unstored): Promise<void>;
  /** Called with what is not stored yet whenever that changes: it has to outlive a reload. */
  keep(unstored: readonly Unstored[]): void;
  readonly now: () => number;
}

const REPEAT_AFTER_MS = 3_000;

/**
 * Keeps what the customer wrote until an agent says that it is stored. Text reaches only those who are in the
 * room at that moment, so what is not acknowledged is sent again, under the same id, when an agent (re)appears
 * and every few seconds while one is there; the agent drops what it has already.
 */
export class Outbox {
  readonly #deps: OutboxDeps;
  readonly #waiting: Map<string, Unstored>;
  readonly #sentAt = new Map<string, number>();
  #agentHere = false;
  #sending: Promise<void> = Promise.resolve();
  #timer: ReturnType<typeof setInterval> | undefined;

  constructor(deps: OutboxDeps, left: readonly Unstored[]) {
    this.#deps = deps;
    this.#waiting = new Map(left.map((message) => [message.id, message]));
  }

  write(text: string): Unstored {
    const message = { id: randomId(), text, at: this.#deps.now() };
    this.#waiting.set(message.id, message);
    this.#changed();
    this.#flush((id) => !this.#sentAt.has(id));
    return message;
  }

  acknowledged(id: string): boolean {
    const known = this.#waiting.delete(id);
    if (known) this.#changed();
    return known;
  }

  agentAppeared(): void {
    this.#agentHere = true;
    this.#timer ??= setInterval(() => this.#repeat(), 1_000);
    this.#flush(() => true);
  }

  agentGone(): void {
    this.#agentHere = false;
    this.#stop();
  }

  close(): void {
    this.agentGone();
  }

  #repeat(): void {
    const now = this.#deps.now();
    this.#flush((id) => now - (this.#sentAt.get(id) ?? 0) >= REPEAT_AFTER_MS);
  }

  /** One after the other: the agent reads messages in the order in which they were written. */
  #flush(which: (id: string) => boolean): void {
    this.#sending = this.#sending.then(async () => {
      for (const message of [...this.#waiting.values()]) {
        if (!this.#agentHere || !this.#waiting.has(message.id) || !which(message.id)) continue;
        this.#sentAt.set(message.id, this.#deps.now());
        await this.#deps.send(message).catch(() => undefined);
      }
    });
  }

  #changed(): void {
    this.#deps.keep([...this.#waiting.values()]);
  }

  #stop(): void {
    clearInterval(this.#timer);
    this.#timer = undefined;
  }
}

/** `crypto.randomUUID` is missing on plain-http pages other than localhost. */
function randomId(): string {
  const bytes = crypto.getRandomValues(new Uint8Array(16));
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, '0')).join('');
}
