import type { Log } from '../log.ts';
import type { Clock } from './clock.ts';
import type { Speaker } from './conversation.ts';
import type { RecordKey } from './outbox.ts';

/** What somebody is saying right now; the message with the same item id replaces it when it is complete. */
export interface InterimRow {
  readonly interaction_id: string;
  readonly generation: number;
  readonly item_id: string;
  readonly role: Exclude<Speaker, 'system'>;
  readonly content: string;
  /**
   * ISO 8601, of an answer that is shown as it comes: when it began. It is kept until its message is complete, so that
   * a successor goes on where it broke off.
   */
  readonly began_at?: string;
}

export interface InterimFeedDeps {
  /** One write for everything that is being said in this process. */
  send(rows: InterimRow[]): Promise<void>;
  readonly everyMs: number;
  readonly clock: Clock;
  readonly log: Log;
}

/**
 * Speech as it is spoken, for those who watch and for a successor. The newest state of each utterance, its first part
 * at once and then at most every so often; what can't be sent is dropped, because the complete message follows by the
 * outbox.
 */
export class InterimFeed {
  readonly #deps: InterimFeedDeps;
  readonly #waiting = new Map<string, InterimRow>();
  #scheduled = false;
  #failing = false;
  #notBefore = 0;

  constructor(deps: InterimFeedDeps) {
    this.#deps = deps;
  }

  /** @param item.keptSince of an answer that is shown as it comes: when it began, in milliseconds. */
  spoken(
    key: RecordKey,
    item: { id: string; role: InterimRow['role']; text: string; keptSince?: number | undefined },
  ): void {
    if (item.text.trim() === '') return;
    this.#waiting.set(`${key.interactionId}/${item.id}`, {
      interaction_id: key.interactionId,
      generation: key.generation,
      item_id: item.id,
      role: item.role,
      content: item.text,
      ...(item.keptSince === undefined ? {} : { began_at: new Date(item.keptSince).toISOString() }),
    });
    this.#schedule();
  }

  /** The whole message is on its way: what was sent of it before must not come after it. */
  complete(key: RecordKey, id: string): void {
    this.#waiting.delete(`${key.interactionId}/${id}`);
  }

  #schedule(): void {
    if (this.#scheduled) return;
    this.#scheduled = true;
    const { clock } = this.#deps;
    clock.after(Math.max(0, this.#notBefore - clock.now()), () => void this.#send());
  }

  async #send(): Promise<void> {
    const rows = [...this.#waiting.values()];
    this.#waiting.clear();
    this.#notBefore = this.#deps.clock.now() + this.#deps.everyMs;
    try {
      if (rows.length > 0) await this.#deps.send(rows);
      this.#failing = false;
    } catch (err) {
      if (!this.#failing)
        this.#deps.log.warn({ err }, 'what is being said can not be shown while it is said');
      this.#failing = true;
    }
    this.#scheduled = false;
    if (this.#waiting.size > 0) this.#schedule();
  }
}
