type Tell = () => void;

/** With a hundred conversations something changes twenty times a second; nobody reads faster than this. */
const TOGETHER_MS = 50;

/** Who wants to know of which change. Many changes of one moment are told once. */
export class Topics {
  readonly #listeners = new Map<string, Set<Tell>>();
  readonly #changed = new Set<string>();
  readonly #versions = new Map<string, number>();
  #due = false;

  listen(topic: string, tell: Tell): () => void {
    const listeners = this.#listeners.get(topic) ?? new Set();
    this.#listeners.set(topic, listeners.add(tell));
    return () => {
      listeners.delete(tell);
      if (listeners.size === 0 && this.#listeners.get(topic) === listeners) this.#listeners.delete(topic);
    };
  }

  /** Another number after each change. */
  version(topic: string): number {
    return this.#versions.get(topic) ?? 0;
  }

  touch(topic: string): void {
    this.#versions.set(topic, this.version(topic) + 1);
    this.#changed.add(topic);
    if (this.#due) return;
    this.#due = true;
    setTimeout(() => {
      this.#due = false;
      const changed = [...this.#changed];
      this.#changed.clear();
      for (const each of changed) for (const tell of [...(this.#listeners.get(each) ?? [])]) tell();
    }, TOGETHER_MS);
  }
}
