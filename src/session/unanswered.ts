import type { Claim } from './claim.ts';

/** What a reply of the model was an answer to, kept with its message so that a successor knows what is still owed. */
export interface AnswerMark {
  /** Id of the customer's newest message that the model was shown; null before the first. */
  readonly answers: string | null;
  /** Calls whose output the model was shown for the first time. */
  readonly settled: readonly string[];
}

type Past = Pick<Claim, 'messages' | 'calls'>;

const FINAL_STATES: ReadonlySet<string> = new Set(['succeeded', 'failed', 'refused', 'unknown']);

/**
 * Whether the customer still waits for words when a successor takes the conversation over: a message that no
 * reply and no tool call followed, an output that no reply has told of, or the rest of an answer that was cut off. While
 * a call is open nothing is owed yet; its outcome asks for the reply.
 */
export function isOwed({ messages, calls }: Past): boolean {
  if (calls.some((call) => !FINAL_STATES.has(call.state))) return false;
  const replies = messages.flatMap(({ role, mark }) => (role === 'agent' && mark ? [mark] : []));
  const told = new Set(replies.flatMap(({ settled }) => settled));
  if (calls.some((call) => !told.has(call.call_id))) return true;
  const last = messages.findLast(({ role }) => role === 'customer' || role === 'supervisor');
  // A person who had taken over has answered.
  if (last?.role === 'supervisor') return false;
  if (wasCutOff(messages)) return true;
  if (!last) return false;
  // A transcript from before replies were marked: whoever spoke last is all there is to go by.
  if (replies.length === 0) return messages.findLast(({ role }) => role !== 'system')?.role === 'customer';
  if (replies.at(-1)?.answers === last.id) return false;
  return !calls.some((call) => call.at >= last.at);
}

/** Whether the newest reply broke off when its process died. */
export function wasCutOff(messages: Past['messages']): boolean {
  return messages.findLast(({ role, mark, cutOff }) => role === 'agent' && (mark || cutOff))?.cutOff ?? false;
}

/** The marks of one session's replies, and what those before it have told already. */
export class AnswerMarks {
  readonly #told: Set<string>;
  #next: AnswerMark = { answers: null, settled: [] };

  constructor({ messages }: Past) {
    this.#told = new Set(messages.flatMap(({ mark }) => mark?.settled ?? []));
  }

  /** The model is asked now, and shown this. */
  asked(shown: { customerMessage: string | undefined; settledCalls: readonly string[] }): void {
    this.#next = {
      answers: shown.customerMessage ?? null,
      settled: shown.settledCalls.filter((callId) => !this.#told.has(callId)),
    };
  }

  /** The mark of the reply that is being given. */
  get current(): AnswerMark {
    return this.#next;
  }

  /** Whether a reply has told of this call or note. */
  told(id: string): boolean {
    return this.#told.has(id);
  }

  /** The reply has been recorded: its outputs have been told of. */
  answered(): void {
    for (const callId of this.#next.settled) this.#told.add(callId);
  }
}
