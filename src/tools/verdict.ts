import type { RefusalReason, StoredToolCall, ToolOutcome } from './ledger-types.ts';
import * as text from './outcome-text.ts';

/** What became of a call, before it is timed and recorded; `full` is for the trace. */
export type Verdict = Pick<ToolOutcome, 'status' | 'output' | 'isError' | 'reason' | 'note'> & {
  readonly full?: unknown;
};

export function refused(reason: RefusalReason, output?: string, note?: string): Verdict {
  return { status: 'refused', output: output ?? text.refusedText(reason, note), isError: true, reason, note };
}

export function failed(output: string): Verdict {
  return { status: 'failed', output, isError: true };
}

export function unknownOutcome(full?: unknown): Verdict {
  return { status: 'unknown', output: text.unknownOutcomeText(), isError: true, full };
}

export function isFinal(call: StoredToolCall): boolean {
  return ['succeeded', 'failed', 'refused', 'unknown'].includes(call.state);
}

/** The outcome that an earlier life of this interaction left; what was running then is unknown, never repeated. */
export function fromRow(call: StoredToolCall): Verdict {
  if (call.state === 'succeeded') return { status: 'succeeded', output: call.output ?? '', isError: false };
  if (call.state === 'failed') return failed(call.output ?? text.toolErrorText(''));
  if (call.state !== 'refused') return unknownOutcome();
  const reason = readReason(call.refusal_reason);
  return refused(reason, call.output ?? undefined);
}

/** A rule of the tool stands against it. */
export function forbidden(call: StoredToolCall): Verdict {
  return refused('policy', text.forbiddenText(call.policy?.because));
}

/** The database did not let the call start: its reason is the permission's, or the row is final already. */
export function fromRefusedStart(call: StoredToolCall, why: string | undefined): Verdict {
  if (isFinal(call)) return fromRow(call);
  return why === 'policy' ? forbidden(call) : refused(readReason(why));
}

function readReason(value: string | null | undefined): RefusalReason {
  return value === 'denied' || value === 'timeout' || value === 'withdrawn' ? value : 'policy';
}
