import type { Database } from '../database/client.ts';
import { withdrawPermissions } from '../database/permissions.ts';
import { finishToolCall, requestToolCall, startToolCall } from '../database/tool-calls.ts';
import type { ToolCallStore } from './ledger-types.ts';

/** The ledger's rows in the database. */
export function createToolCallStore(db: Database): ToolCallStore {
  return {
    request: (row) =>
      requestToolCall(db, {
        interaction_id: row.interactionId,
        generation: row.generation,
        call_id: row.callId,
        tool_name: row.toolName,
        tool_description: row.toolDescription,
        arguments: row.arguments,
        arguments_hash: row.argumentsHash,
        definition_hash: row.definitionHash,
        requires_permission: row.requiresPermission,
        row_name: row.rowName,
        must_ask: row.mustAsk,
        permission_timeout_seconds: row.permissionTimeoutSeconds,
        idempotency_key: row.idempotencyKey,
        refused_reason: row.refusedReason,
      }),
    start: (key) => startToolCall(db, key),
    finish: async (row) => {
      await finishToolCall(db, row);
    },
    withdraw: (key) => withdrawPermissions(db, key),
  };
}
