import { z } from 'zod';
import type { Database } from './client.ts';
import {
  type CallResolution,
  callResolutionSchema,
  permissionRowSchema,
  type refusalReasonSchema,
  type ToolCallWithPermission,
  toolCallRowSchema,
  toolCallWithPermissionSchema,
} from './rows.ts';
import { callFunction } from './rpc.ts';

type RefusalReason = z.output<typeof refusalReasonSchema>;

export interface NewToolCall {
  readonly interaction_id: string;
  readonly generation: number;
  readonly call_id: string;
  readonly tool_name: string;
  readonly tool_description?: string | null | undefined;
  readonly arguments: unknown;
  readonly arguments_hash: string;
  readonly definition_hash?: string | null | undefined;
  readonly requires_permission: boolean;
  /** The row of `agent_tools`, where one stands for several tools. */
  readonly row_name?: string | undefined;
  /** No rule can open this gate: nobody has seen the tool yet. */
  readonly must_ask?: boolean | undefined;
  readonly permission_timeout_seconds: number;
  readonly idempotency_key: string;
  /** The call is written down as refused and never runs. */
  readonly refused_reason?: RefusalReason | undefined;
}

const requestedSchema = z.object({
  call: toolCallRowSchema,
  permission: permissionRowSchema.nullable(),
  /** The call was written down before; nothing was changed. */
  existing: z.boolean(),
});
export type RequestedToolCall = z.output<typeof requestedSchema>;

/**
 * Writes a call down before it runs. A gated one gets its permission request and pauses the interaction; the
 * agent's row can add a gate that the caller did not ask for.
 *
 * @throws FloorwalkerError `stale_generation`, `interaction_ended`, `interaction_not_found`
 */
export function requestToolCall(db: Database, call: NewToolCall): Promise<RequestedToolCall> {
  return callFunction(db, 'request_tool_call', { p_call: call }, requestedSchema);
}

const startedSchema = z.object({
  started: z.boolean(),
  reason: z
    .enum(['stale', 'ended', 'already_finished', 'already_started', 'not_allowed', 'hash_mismatch', 'policy'])
    .optional(),
  call: toolCallWithPermissionSchema,
});
export type StartedToolCall = z.output<typeof startedSchema>;

/**
 * May the call run now, with the arguments of this hash? `allowRestart` lets a call that ran under a dead
 * session run again: only for tools known to be idempotent, with the same idempotency key.
 *
 * @throws FloorwalkerError `tool_call_not_found`
 */
export function startToolCall(
  db: Database,
  args: {
    interactionId: string;
    generation: number;
    callId: string;
    argumentsHash: string;
    allowRestart?: boolean;
  },
): Promise<StartedToolCall> {
  return callFunction(
    db,
    'start_tool_call',
    {
      p_interaction_id: args.interactionId,
      p_generation: args.generation,
      p_call_id: args.callId,
      p_arguments_hash: args.argumentsHash,
      p_allow_restart: args.allowRestart ?? false,
    },
    startedSchema,
  );
}

/**
 * Writes the outcome down, once: a second one is ignored and the first returned with `already`.
 *
 * @throws FloorwalkerError `stale_generation`, `tool_call_not_found`, `tool_call_not_started`
 */
export function finishToolCall(
  db: Database,
  args: {
    interactionId: string;
    generation: number;
    callId: string;
    state: 'succeeded' | 'failed' | 'refused' | 'unknown';
    output?: string | null;
    error?: unknown;
    durationMs?: number | null;
    refusalReason?: RefusalReason | null;
  },
): Promise<{ call: ToolCallWithPermission; already: boolean }> {
  return callFunction(
    db,
    'finish_tool_call',
    {
      p_interaction_id: args.interactionId,
      p_generation: args.generation,
      p_call_id: args.callId,
      p_state: args.state,
      p_output: args.output ?? null,
      p_error: args.error ?? null,
      p_duration_ms: args.durationMs == null ? null : Math.round(args.durationMs),
      p_refusal_reason: args.refusalReason ?? null,
    },
    z.object({ call: toolCallWithPermissionSchema, already: z.boolean() }),
  );
}

const resolvedSchema = toolCallRowSchema.extend({
  resolution: callResolutionSchema,
  resolution_note: z.string().nullable(),
  resolved_by: z.guid().nullable(),
  resolved_at: z.string(),
});

/**
 * As a signed-in person: says what became of a call whose outcome is unknown. The first answer counts.
 *
 * @throws FloorwalkerError `tool_call_not_found`, `tool_call_not_unknown`, `tool_call_already_resolved`,
 * `interaction_not_active`, `invalid_resolution`
 */
export function resolveToolCall(
  db: Database,
  args: { toolCallId: string; resolution: CallResolution; note?: string | null },
): Promise<z.output<typeof resolvedSchema>> {
  const { toolCallId, resolution, note } = args;
  return callFunction(
    db,
    'resolve_tool_call',
    { p_tool_call_id: toolCallId, p_resolution: resolution, p_note: note ?? null },
    resolvedSchema,
  );
}
