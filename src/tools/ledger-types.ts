import type { Log } from '../log.ts';
import type { JsonObject, ToolCatalogue, ToolDefinition } from './types.ts';

export type ToolCallState =
  | 'requested'
  | 'awaiting_permission'
  | 'running'
  | 'succeeded'
  | 'failed'
  | 'refused'
  | 'unknown';
export type RefusalReason = 'denied' | 'timeout' | 'withdrawn' | 'policy';
export type PermissionStatus = 'pending' | 'allowed' | 'denied' | 'timeout' | 'withdrawn';

/** What becomes of a call, once and for good. */
export interface ToolOutcome {
  readonly callId: string;
  readonly toolName: string;
  readonly status: 'succeeded' | 'failed' | 'refused' | 'unknown';
  /** Exactly what the model reads. */
  readonly output: string;
  readonly isError: boolean;
  readonly reason?: RefusalReason | undefined;
  /** The approver's words on a denial. */
  readonly note?: string | undefined;
  readonly durationMs: number;
}

export interface ToolCallHandle {
  readonly callId: string;
  readonly toolName: string;
  /** Settles exactly once and never rejects. */
  readonly outcome: Promise<ToolOutcome>;
  readonly state: ToolCallState;
}

/** A call that waits for a person's decision. */
export interface PendingCall {
  readonly callId: string;
  readonly toolName: string;
  readonly arguments: JsonObject;
  readonly permissionId: string;
  readonly expiresAt: string;
  readonly requestedAtMs: number;
}

/** A row of `tool_calls` as far as the ledger reads it. */
export interface StoredToolCall {
  readonly call_id: string;
  readonly tool_name: string;
  readonly arguments: unknown;
  readonly state: ToolCallState;
  readonly generation: number;
  readonly definition_hash?: string | null | undefined;
  readonly idempotency_key?: string | null | undefined;
  readonly refusal_reason?: string | null | undefined;
  /** What the rules of the tool said, where one applied. */
  readonly policy?: { readonly effect: string; readonly because: string | null } | null | undefined;
  readonly output?: string | null | undefined;
}

/** A row of `tool_permissions` as the poll delivers it. */
export interface PolledPermission {
  readonly id: string;
  readonly call_id: string;
  readonly status: PermissionStatus;
  readonly note?: string | null | undefined;
  readonly edited_arguments?: unknown;
  readonly edited_hash?: string | null | undefined;
  readonly decided_by_name?: string | null | undefined;
  readonly expires_at: string;
}

export interface ToolCallRequestRow {
  readonly interactionId: string;
  readonly generation: number;
  readonly callId: string;
  readonly toolName: string;
  readonly toolDescription: string | null;
  readonly arguments: unknown;
  readonly argumentsHash: string;
  readonly definitionHash: string | null;
  readonly requiresPermission: boolean;
  readonly rowName?: string | undefined;
  readonly mustAsk?: boolean | undefined;
  readonly permissionTimeoutSeconds: number;
  readonly idempotencyKey: string;
  readonly refusedReason?: RefusalReason | undefined;
}

/** Where calls are recorded; `createToolCallStore` is the one over the database. Methods throw FloorwalkerError. */
export interface ToolCallStore {
  request(row: ToolCallRequestRow): Promise<{
    call: StoredToolCall;
    permission: PolledPermission | null;
    existing: boolean;
  }>;
  start(key: {
    interactionId: string;
    generation: number;
    callId: string;
    argumentsHash: string;
    allowRestart: boolean;
  }): Promise<{
    started: boolean;
    call: StoredToolCall;
    reason?: string | undefined;
  }>;
  finish(row: {
    interactionId: string;
    generation: number;
    callId: string;
    state: 'succeeded' | 'failed' | 'refused' | 'unknown';
    output: string;
    error: JsonObject | null;
    durationMs: number;
    refusalReason: RefusalReason | null;
  }): Promise<void>;
  withdraw(key: {
    interactionId: string;
    generation: number;
    callId: string | null;
    reason: string;
  }): Promise<number>;
}

export interface LedgerDeps {
  readonly businessId: string;
  readonly interactionId: string;
  readonly generation: number;
  readonly catalogue: ToolCatalogue;
  readonly store: ToolCallStore;
  readonly permissionTimeoutSeconds: number;
  /** False when this process may have been stopped for so long that another one holds the interaction. */
  holdsLease(): boolean;
  readonly log: Log;
  /** For durations only: deadlines are the database's. */
  readonly clock: { now(): number };
}

/** What the session hears: for holding words, the pause, and the trace. */
export interface LedgerEvents {
  awaiting: (call: PendingCall, definition: ToolDefinition) => void;
  decided: (call: PendingCall, permission: PolledPermission) => void;
  started: (call: { callId: string; toolName: string; arguments: JsonObject; edited: boolean }) => void;
  /** `full` is the tool's whole result, bounded, for the trace; undefined when nothing ran. */
  finished: (outcome: ToolOutcome, details: { arguments: unknown; full: unknown }) => void;
  /** The database can't be reached; the call waits and has not run. */
  delayed: (call: { callId: string; toolName: string; attempts: number }) => void;
  /** Another worker holds the interaction now: this ledger has stopped. */
  fenced: () => void;
}
