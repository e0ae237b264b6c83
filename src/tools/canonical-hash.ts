import { createHash } from 'node:crypto';
import canonicalize from 'canonicalize';

/** SHA-256, in hex, of the RFC 8785 form: the same value gives the same hash whatever the order of its keys. */
export function canonicalHash(value: unknown): string {
  // A round trip through JSON first: what is hashed is what the database will hold (no undefined, no -0).
  const canonical = canonicalize(JSON.parse(JSON.stringify(value ?? null)));
  return createHash('sha256')
    .update(canonical ?? 'null', 'utf8')
    .digest('hex');
}

export interface HashedCall {
  readonly businessId: string;
  readonly interactionId: string;
  readonly callId: string;
  readonly toolName: string;
  readonly definitionHash: string | null;
  readonly arguments: unknown;
}

/**
 * What an approval is bound to. The API computes the same over edited arguments (`edited_hash`), so that
 * an approval can't be carried to another call, tool, definition, interaction or business.
 */
export function hashToolCall(call: HashedCall): string {
  return canonicalHash({
    business_id: call.businessId,
    interaction_id: call.interactionId,
    call_id: call.callId,
    tool_name: call.toolName,
    definition_hash: call.definitionHash,
    arguments: call.arguments ?? null,
  });
}
