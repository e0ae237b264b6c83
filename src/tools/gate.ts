import { canonicalHash, hashToolCall } from './canonical-hash.ts';
import type { PolledPermission, RefusalReason } from './ledger-types.ts';
import type { JsonObject } from './types.ts';

/** What was asked for and shown to the approver. */
export interface GatedRequest {
  readonly businessId: string;
  readonly interactionId: string;
  readonly callId: string;
  readonly toolName: string;
  readonly definitionHash: string;
  readonly arguments: JsonObject;
  readonly argumentsHash: string;
}

export type GateStep =
  | { readonly kind: 'wait' }
  | { readonly kind: 'refuse'; readonly reason: RefusalReason; readonly note?: string | undefined }
  | { readonly kind: 'run'; readonly arguments: JsonObject; readonly hash: string; readonly edited: boolean };

/**
 * The gate: reads a permission row and says what may happen. Only the row of this very call counts; what a
 * customer, a model or a tool said is never asked. Anything that does not add up is a refusal.
 */
export function readPermission(request: GatedRequest, permission: PolledPermission): GateStep {
  if (permission.call_id !== request.callId) return { kind: 'wait' };
  switch (permission.status) {
    case 'pending':
      return { kind: 'wait' };
    case 'denied':
    case 'timeout':
    case 'withdrawn':
      return { kind: 'refuse', reason: permission.status, note: permission.note ?? undefined };
    case 'allowed':
      return allowedArguments(request, permission);
    default:
      return { kind: 'refuse', reason: 'policy' };
  }
}

function allowedArguments(request: GatedRequest, permission: PolledPermission): GateStep {
  const edited = permission.edited_arguments;
  if (edited === null || edited === undefined) {
    return { kind: 'run', arguments: request.arguments, hash: request.argumentsHash, edited: false };
  }
  if (typeof edited !== 'object' || Array.isArray(edited)) return { kind: 'refuse', reason: 'policy' };
  // The hash is ours to compute; the row's must agree, or somebody changed the arguments after the decision.
  const hash = hashToolCall({ ...request, arguments: edited });
  if (permission.edited_hash !== hash) return { kind: 'refuse', reason: 'policy' };
  const changed = canonicalHash(edited) !== canonicalHash(request.arguments);
  return { kind: 'run', arguments: edited as JsonObject, hash, edited: changed };
}
