import { z } from 'zod';

/**
 * The rows as the API delivers them: the database's own names, times as ISO 8601 text. Unknown columns pass,
 * so that a worker goes on while a newer schema is applied under it.
 */

const id = z.guid();
const time = z.string();
const json = z.unknown();
const object = z.record(z.string(), z.unknown());

export const channelSchema = z.enum(['voice', 'chat']);
export const phoneSourceSchema = z.enum(['claimed', 'sip', 'verified']);
export const interactionStatusSchema = z.enum(['queued', 'active', 'completed', 'failed']);
export const controlSchema = z.enum(['agent', 'supervisor']);
export const permissionStatusSchema = z.enum(['pending', 'allowed', 'denied', 'timeout', 'withdrawn']);
export const toolCallStateSchema = z.enum([
  'requested',
  'awaiting_permission',
  'running',
  'succeeded',
  'failed',
  'refused',
  'unknown',
]);
export const refusalReasonSchema = z.enum(['denied', 'timeout', 'withdrawn', 'policy']);

export const businessRowSchema = z.looseObject({
  id,
  name: z.string(),
  slug: z.string(),
  time_zone: z.string(),
  allowed_origins: z.array(z.string()),
  retention: object,
  tag_vocabulary: z.object({ topics: z.array(z.string()), issues: z.array(z.string()) }),
  limits: object,
});
export type BusinessRow = z.output<typeof businessRowSchema>;

export const agentRowSchema = z.looseObject({
  id,
  business_id: id,
  supervisor_id: id,
  cover_id: id.nullable(),
  name: z.string(),
  slug: z.string(),
  agent_type: channelSchema,
  system_prompt: z.string(),
  greeting: z.string().nullable(),
  language: z.string(),
  model_settings: object,
  voice_settings: object,
  status: z.enum(['idle', 'in_call', 'in_chat', 'paused']),
  public: z.boolean(),
  max_concurrent_interactions: z.number(),
  version: z.number(),
});
export type AgentRow = z.output<typeof agentRowSchema>;

export const agentToolRowSchema = z.looseObject({
  id,
  agent_id: id,
  tool_name: z.string(),
  tool_config: json,
  requires_permission: z.boolean(),
  updated_at: time,
});
export type AgentToolRow = z.output<typeof agentToolRowSchema>;

/** What an interaction began with; edits of the agent do not reach it. */
export const agentSnapshotSchema = z.looseObject({
  agent_id: id,
  name: z.string(),
  slug: z.string(),
  agent_type: channelSchema,
  version: z.number(),
  system_prompt: z.string(),
  greeting: z.string().nullable(),
  language: z.string(),
  model_settings: object,
  voice_settings: object,
  tools: z.array(agentToolRowSchema),
});
export type AgentSnapshot = z.output<typeof agentSnapshotSchema>;

export const interactionRowSchema = z.looseObject({
  id,
  business_id: id,
  agent_id: id,
  customer_id: id.nullable(),
  phone_number: z.string().nullable(),
  phone_source: phoneSourceSchema.nullable(),
  interaction_type: channelSchema,
  kind: z.enum(['live', 'rehearsal']),
  direction: z.enum(['inbound', 'outbound']),
  called_number: z.string().nullable(),
  livekit_room_id: z.string(),
  status: interactionStatusSchema,
  queued_at: time,
  started_at: time.nullable(),
  ended_at: time.nullable(),
  duration_seconds: z.number().nullable(),
  end_reason: z.string().nullable(),
  control: controlSchema,
  controlled_by: id.nullable(),
  controlled_by_name: z.string().nullable(),
  control_changed_at: time.nullable(),
  paused: z.boolean(),
  end_requested_at: time.nullable(),
  end_requested_reason: z.string().nullable(),
  supervisor_requested_at: time.nullable(),
  generation: z.number(),
  claim_attempts: z.number(),
  recoveries: z.number(),
  /** How often this session held up its whole process. */
  stalls: z.number(),
});
export type InteractionRow = z.output<typeof interactionRowSchema>;

export const messageRowSchema = z.looseObject({
  id: z.number(),
  interaction_id: id,
  item_id: z.string(),
  seq: z.number(),
  role: z.enum(['customer', 'agent', 'supervisor', 'system']),
  content: z.string(),
  interrupted: z.boolean(),
  spoken_at: time.nullable(),
  metadata: object,
  created_at: time,
});
export type MessageRow = z.output<typeof messageRowSchema>;

export const permissionRowSchema = z.looseObject({
  id,
  interaction_id: id,
  call_id: z.string(),
  tool_name: z.string(),
  tool_description: z.string().nullable(),
  arguments: json,
  arguments_hash: z.string(),
  edited_arguments: json,
  edited_hash: z.string().nullable(),
  requested_at: time,
  expires_at: time,
  responded_at: time.nullable(),
  decided_by: id.nullable(),
  note: z.string().nullable(),
  status: permissionStatusSchema,
});
export type PermissionRow = z.output<typeof permissionRowSchema>;

/** A person's answer to what became of a call whose outcome is unknown. */
export const callResolutionSchema = z.enum(['happened', 'did_not_happen', 'run_again']);
export type CallResolution = z.output<typeof callResolutionSchema>;

export const toolCallRowSchema = z.looseObject({
  id,
  interaction_id: id,
  call_id: z.string(),
  tool_name: z.string(),
  arguments: json,
  arguments_hash: z.string(),
  definition_hash: z.string().nullable(),
  requires_permission: z.boolean(),
  permission_id: id.nullable(),
  state: toolCallStateSchema,
  refusal_reason: refusalReasonSchema.nullable(),
  output: z.string().nullable(),
  error: json,
  idempotency_key: z.string(),
  generation: z.number(),
  requested_at: time,
  started_at: time.nullable(),
  finished_at: time.nullable(),
  duration_ms: z.number().nullable(),
  policy: z.looseObject({ effect: z.string(), because: z.string().nullable() }).nullable().optional(),
});
export type ToolCallRow = z.output<typeof toolCallRowSchema>;

export const toolCallWithPermissionSchema = toolCallRowSchema.extend({
  permission: permissionRowSchema.nullable(),
});
export type ToolCallWithPermission = z.output<typeof toolCallWithPermissionSchema>;

export const archiveRowSchema = z.looseObject({
  id,
  interaction_id: id,
  business_id: id,
  summary: z.string(),
  summary_source: z.enum(['facts', 'model']),
  issues: z.array(json),
  tags: object,
  csat_score: z.coerce.number().nullable(),
  csat_source: z.enum(['model', 'customer', 'metrics']).nullable(),
  resolution_time_seconds: z.number().nullable(),
  fcr_status: z.boolean(),
  metrics_series: object,
  facts: object,
  created_at: time,
});
export type ArchiveRow = z.output<typeof archiveRowSchema>;
