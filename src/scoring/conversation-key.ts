import { createHash } from 'node:crypto';
import type { Turn } from './types.ts';

/** Identifies a conversation up to a turn by everything said so far: `before` is the key of the turn before. */
export function conversationKey(before: string, turn: Turn): string {
  return createHash('sha1').update(`${before}\u0000${turn.role}\u0000${turn.text}`).digest('base64');
}

/** A map that forgets what was used longest ago. */
export class RecentMap<V> {
  readonly #entries = new Map<string, V>();
  readonly #limit: number;

  constructor(limit: number) {
    this.#limit = limit;
  }

  get(key: string): V | undefined {
    const value = this.#entries.get(key);
    if (value !== undefined) {
      this.#entries.delete(key);
      this.#entries.set(key, value);
    }
    return value;
  }

  set(key: string, value: V): void {
    this.#entries.delete(key);
    this.#entries.set(key, value);
    for (const oldest of this.#entries.keys()) {
      if (this.#entries.size <= this.#limit) break;
      this.#entries.delete(oldest);
    }
  }
}
