import { z } from '@hono/zod-openapi';

/** Ids as PostgreSQL takes them; not limited to one UUID version. */
export const idSchema = z.guid().openapi({ example: '6f2d0f0e-5a3e-4c07-9d53-1f6f2b0a4c11' });
export const timestamp = z
  .string()
  .openapi({ format: 'date-time', example: '2026-03-01T09:30:00.123456+00:00' });
const json = z.unknown();

/** PostgreSQL can't store U+0000 in text. */
export const text = (max: number) =>
  z
    .string()
    .max(max)
    .refine((value) => !value.includes('\u0000'), 'must not contain the character U+0000');

export const phoneNumberSchema = z
  .string()
  .regex(/^\+[1-9]\d{6,14}$/, 'must be in E.164 form: +, country code, number, no spaces')
  .openapi({ example: '+441632960123' });
export const channelSchema = z.enum(['chat', 'voice']);
export const interactionStatusSchema = z.enum(['queued', 'active', 'completed', 'failed']);
export const permissionStatusSchema = z.enum(['pending', 'allowed', 'denied', 'timeout', 'withdrawn']);

export const problemSchema = z
  .looseObject({
    type: z.string(),
    title: z.string(),
    status: z.int(),
    detail: z.string(),
    code: z.string().openapi({ description: 'Stable; see docs/errors.md.' }),
    remedy: z.string(),
    request_id: z.string(),
  })
  .openapi('Problem');

export const interactionSchema = z
  .object({
    id: idSchema,
    agent_id: idSchema,
    customer_id: idSchema.nullable(),
    channel: channelSchema,
    kind: z.enum(['live', 'rehearsal']),
    direction: z.enum(['inbound', 'outbound']),
    status: interactionStatusSchema,
    room: z.string(),
    phone_number: z.string().nullable(),
    phone_source: z.enum(['claimed', 'sip', 'verified']).nullable(),
    called_number: z.string().nullable(),
    queued_at: timestamp.nullable(),
    answered_at: timestamp.nullable(),
    started_at: timestamp.nullable(),
    ended_at: timestamp.nullable(),
    duration_seconds: z.number().nullable(),
    end_reason: z.string().nullable(),
    control: z.enum(['agent', 'supervisor']),
    controlled_by: idSchema.nullable(),
    controlled_by_name: z.string().nullable(),
    control_changed_at: timestamp.nullable(),
    paused: z.boolean().openapi({ description: 'A tool call waits for a decision.' }),
    end_requested_at: timestamp.nullable(),
    supervisor_requested_at: timestamp.nullable(),
    supervisor_request_reason: z.string().nullable(),
    supervisor_request_escalated_at: timestamp
      .nullable()
      .openapi({ description: 'Nobody came in time: cover and admins are asked too.' }),
    supervisor_request_answered_at: timestamp.nullable().openapi({ description: 'A person took over.' }),
    disposition: z.string().nullable(),
    supervisor_notes: z.string().nullable(),
    rating: z.number().nullable(),
    rating_comment: z.string().nullable(),
    created_at: timestamp,
  })
  .openapi('Interaction');

export const archiveSchema = z
  .object({
    summary: z.string(),
    summary_source: z.enum(['facts', 'model']),
    issues: json.openapi({ description: 'A list of {issue, status, priority}.' }),
    tags: json.openapi({ description: '{topics, sentiment, issues: [{tag, status}]}' }),
    csat_score: z.number().nullable(),
    csat_source: z.string().nullable(),
    resolution_time_seconds: z.number().nullable(),
    fcr_status: z.boolean().nullable(),
    metrics_series: json,
    created_at: timestamp,
  })
  .openapi('Archive');

export const receiptSchema = z
  .object({
    id: idSchema,
    subject_kind: z.enum(['customer', 'interaction']),
    subject_hash: z
      .string()
      .openapi({ description: 'Tells whom it was about to whoever has `subject_nonce`.' }),
    counts: z.record(z.string(), z.number()).openapi({ description: 'Rows that were deleted, by table.' }),
    deleted_by: idSchema.nullable().openapi({ description: 'Null for an operator with the secret key.' }),
    deleted_by_name: z.string(),
    deleted_at: timestamp,
    hash: z.string().openapi({ description: 'SHA-256 of the receipt.' }),
  })
  .openapi('DeletionReceipt');

export const metricsSchema = z
  .object({
    timestamp,
    sentiment: z.enum(['good', 'neutral', 'critical']),
    satisfaction_score: z.number(),
    feed_text: z.string(),
  })
  .openapi('Metrics');

/** "Allow for this interaction": later calls of the tool within the range need no decision of their own. */
export const scopeSchema = z
  .strictObject({
    kind: z.literal('interaction'),
    arguments: z
      .record(
        z.string().min(1).max(200),
        z.union([
          z.strictObject({ any: z.literal(true) }),
          z.strictObject({ at_most: z.number().nonnegative() }),
          z.strictObject({
            one_of: z.array(z.union([z.string(), z.number(), z.boolean(), z.null()])).max(100),
          }),
        ]),
      )
      .default({})
      .openapi({
        description: 'Range of each argument that may differ from what is allowed now; the others may not.',
      }),
  })
  .openapi('DecisionScope');

export const permissionSchema = z
  .object({
    id: idSchema,
    interaction_id: idSchema,
    call_id: z.string(),
    tool_name: z.string(),
    tool_description: z.string().nullable().openapi({ description: 'In the words of the tool’s server.' }),
    arguments: json.openapi({ description: 'Exactly what would run.' }),
    status: permissionStatusSchema,
    requested_at: timestamp,
    expires_at: timestamp,
    responded_at: timestamp.nullable(),
    decided_by: idSchema.nullable(),
    note: z.string().nullable(),
    edited_arguments: json.openapi({ description: 'What runs instead, where the approver changed it.' }),
    escalated_at: timestamp.nullable(),
    scope: scopeSchema.nullable().optional(),
    scope_revoked_at: timestamp.nullable().optional().openapi({
      description: 'Since then later calls are asked for again.',
    }),
    scope_revoked_by: idSchema.nullable().optional(),
  })
  .openapi('Permission');

export const interactionDetailSchema = interactionSchema
  .extend({
    archive: archiveSchema.nullable(),
    metrics: metricsSchema
      .nullable()
      .openapi({ description: 'The newest row while the interaction is open.' }),
    permissions: z.array(permissionSchema).openapi({ description: 'Those that wait for a decision.' }),
  })
  .openapi('InteractionDetail');

export const callbackSchema = z
  .object({
    id: idSchema,
    interaction_id: idSchema,
    agent_id: idSchema,
    phone_number: z.string(),
    reason: z.string().openapi({ description: 'In the words of the agent.' }),
    preferred_time: z.string().nullable().openapi({ description: 'In the words of the customer.' }),
    requested_at: timestamp,
    done_at: timestamp.nullable(),
    done_by: idSchema.nullable(),
    done_by_name: z.string().nullable(),
    note: z.string().nullable(),
  })
  .openapi('Callback');

export const messageSchema = z
  .object({
    seq: z.number(),
    item_id: z.string(),
    role: z.enum(['customer', 'agent', 'supervisor', 'system']),
    content: z.string(),
    interrupted: z.boolean(),
    spoken_at: timestamp.nullable(),
    created_at: timestamp,
  })
  .openapi('Message');

export const stepSchema = z
  .object({
    id: z.number(),
    step_id: z.string(),
    step_type: z.string(),
    name: z.string().nullable(),
    input: json,
    output: json,
    error: json,
    duration_ms: z.number().nullable(),
    model: z.string().nullable(),
    tokens_input: z.number().nullable(),
    tokens_output: z.number().nullable(),
    characters: z.number().nullable(),
    audio_seconds: z.number().nullable(),
    happened_at: timestamp,
  })
  .openapi('Step');

export const toolCallSchema = z
  .object({
    id: idSchema,
    interaction_id: idSchema,
    call_id: z.string(),
    tool_name: z.string(),
    arguments: json.openapi({ description: 'As the model asked for it.' }),
    state: z.enum([
      'requested',
      'awaiting_permission',
      'running',
      'succeeded',
      'failed',
      'refused',
      'unknown',
    ]),
    refusal_reason: z.enum(['denied', 'timeout', 'withdrawn', 'policy']).nullable(),
    output: z.string().nullable().openapi({ description: 'What the model was told.' }),
    requested_at: timestamp,
    started_at: timestamp.nullable(),
    finished_at: timestamp.nullable(),
  })
  .openapi('ToolCall');

export const agentSchema = z
  .object({
    id: idSchema,
    name: z.string(),
    slug: z.string(),
    agent_type: channelSchema,
    status: z.enum(['idle', 'in_call', 'in_chat', 'paused']),
    public: z.boolean(),
    language: z.string(),
    supervisor_id: idSchema,
    cover_id: idSchema.nullable(),
    max_concurrent_interactions: z.number(),
    version: z.number(),
    updated_at: timestamp,
  })
  .openapi('Agent');

const figure = z.number().nullable();

export const performanceSchema = z
  .object({
    supervisor_id: idSchema,
    name: z.string(),
    username: z.string().nullable(),
    supervisor_type: channelSchema,
    score: z.number().openapi({ description: '0–100: half CSAT, the rest volume and handle time.' }),
    total_calls: z.number(),
    avg_csat: figure,
    avg_handle_time: figure.openapi({ description: 'Seconds.' }),
    fcr_percentage: figure,
  })
  .openapi('SupervisorPerformance');

export const leaderboardEntrySchema = z
  .object({
    rank: z.number(),
    username: z.string().nullable(),
    name: z.string(),
    supervisor_type: channelSchema,
    score: z.number(),
    is_me: z.boolean(),
  })
  .openapi('LeaderboardEntry');

export const agentPerformanceSchema = z
  .object({
    agent_id: idSchema,
    agent_name: z.string(),
    agent_type: channelSchema,
    supervisor_id: idSchema,
    total_interactions: z.number(),
    avg_csat: figure,
    avg_handle_time: figure.openapi({ description: 'Seconds.' }),
    fcr_percentage: figure,
  })
  .openapi('AgentPerformance');

export const performanceDaySchema = z
  .object({
    day: z
      .string()
      .openapi({ format: 'date', description: 'In the time zone of the business.', example: '2026-03-01' }),
    interactions: z.number(),
    avg_csat: figure,
    fcr_percentage: figure,
  })
  .openapi('PerformanceDay');

/** A page and how to ask for the next one; `null` when there is none. */
export const pageOf = <T extends z.ZodType>(item: T, name: string) =>
  z.object({ data: z.array(item), next_cursor: z.string().nullable() }).openapi(name);
