import { randomUUID } from 'node:crypto';
import type { Clock } from './clock.ts';
import type { Conversation, Speaker } from './conversation.ts';
import type { Outbox, RecordKey, StepRecord, StoreResult } from './outbox.ts';

/** The transcript and the trace of one interaction, written as things happen. */
export class Recorder {
  readonly #key: RecordKey;
  readonly #conversation: Conversation;
  readonly #outbox: Outbox;
  readonly #clock: Clock;

  constructor(deps: { key: RecordKey; conversation: Conversation; outbox: Outbox; clock: Clock }) {
    this.#key = deps.key;
    this.#conversation = deps.conversation;
    this.#outbox = deps.outbox;
    this.#clock = deps.clock;
  }

  /** Takes what was said into the conversation and the transcript. Resolves when it is stored. */
  said(said: {
    id: string;
    role: Speaker;
    text: string;
    at: number;
    interrupted?: boolean;
    metadata?: Record<string, unknown>;
  }): Promise<StoreResult> {
    const { id, role, text, at, interrupted = false, metadata } = said;
    this.#conversation.say({ id, role, text, at, interrupted });
    return this.#outbox.message(this.#key, {
      item_id: id,
      role,
      content: text,
      interrupted,
      spoken_at: new Date(at).toISOString(),
      ...(metadata ? { metadata } : {}),
    });
  }

  step(
    step_type: string,
    fields: Omit<StepRecord, 'step_id' | 'step_type' | 'happened_at'> & { id?: string } = {},
  ): void {
    const { id, ...rest } = fields;
    void this.#outbox.step(this.#key, {
      step_id: id ?? randomUUID(),
      step_type,
      happened_at: new Date(this.#clock.now()).toISOString(),
      ...rest,
    });
  }
}

/** An error as the trace keeps it: its kind and message, no stack and nothing of the request. */
export function traceError(error: unknown): { code: string; message: string } {
  if (!(error instanceof Error)) return { code: 'unknown', message: String(error).slice(0, 500) };
  const code = 'code' in error && typeof error.code === 'string' ? error.code : error.name;
  return { code, message: error.message.slice(0, 500) };
}
