import type {
  PendingCall,
  PolledPermission,
  ToolCallHandle,
  ToolCallState,
  ToolOutcome,
} from './ledger-types.ts';

export type Decision =
  | { readonly kind: 'row'; readonly permission: PolledPermission }
  | { readonly kind: 'withdrawn' };

/** One call on its way through the ledger: what the session holds, and where a decision is handed in. */
export class CallRun implements ToolCallHandle {
  readonly callId: string;
  readonly toolName: string;
  readonly rawArguments: string;
  readonly outcome: Promise<ToolOutcome>;
  /** Aborted when the tool itself has to stop. */
  readonly running = new AbortController();
  state: ToolCallState = 'requested';
  pending: PendingCall | undefined;
  /** True once the table has a row to be finished. */
  hasRow = false;
  /** Settles when the outcome of a call that was started has been written down; undefined before its start. */
  underWay: PromiseWithResolvers<void> | undefined;
  /** Set when somebody withdrew the call before its row could be written. */
  withdrawnBecause: string | undefined;
  readonly #settle: (outcome: ToolOutcome) => void;
  #decide: ((decision: Decision) => void) | undefined;

  constructor(call: { callId: string; toolName: string; rawArguments: string }) {
    this.callId = call.callId;
    this.toolName = call.toolName;
    this.rawArguments = call.rawArguments;
    const settled = Promise.withResolvers<ToolOutcome>();
    this.outcome = settled.promise;
    this.#settle = settled.resolve;
  }

  /** Resolves with the first decision handed in from now on. */
  decision(): Promise<Decision> {
    const { promise, resolve } = Promise.withResolvers<Decision>();
    this.#decide = resolve;
    return promise;
  }

  decide(decision: Decision): void {
    this.#decide?.(decision);
  }

  settle(outcome: ToolOutcome): void {
    this.state = outcome.status;
    this.pending = undefined;
    this.#settle(outcome);
  }
}
