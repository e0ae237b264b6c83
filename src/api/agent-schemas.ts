import { z } from '@hono/zod-openapi';
import { agentSchema, idSchema, text } from './schemas.ts';

const timestamp = z.string().openapi({ format: 'date-time', example: '2026-03-01T09:30:00.123456+00:00' });
const settings = z.record(z.string(), z.unknown());

const toolSchema = z
  .object({
    tool_name: z.string(),
    requires_permission: z
      .boolean()
      .openapi({ description: 'Waits for a supervisor’s decision before it runs.' }),
    tool_config: settings.openapi({ description: 'How the tool is reached; docs/agents.md.' }),
  })
  .openapi('AgentTool');

export const agentDetailSchema = agentSchema
  .extend({
    greeting: z.string().nullable(),
    system_prompt: z.string(),
    model_settings: settings,
    voice_settings: settings,
    tools: z.array(toolSchema),
    variables: z
      .array(z.string())
      .openapi({ description: 'What greeting and prompt may name as {{variable}}.' }),
    may: z
      .object({ change_tools: z.boolean(), remove_gates: z.boolean(), assign: z.boolean() })
      .openapi({ description: 'What this person may do beyond changing texts, voice and limits.' }),
  })
  .openapi('AgentDetail');
export type AgentDetail = z.output<typeof agentDetailSchema>;

/** The form is loose where `agents apply` has its own, better words for what does not fit. */
export const editAgentSchema = z
  .strictObject({
    version: z.int().min(1).openapi({ description: 'The version that was edited.' }),
    note: text(500).optional().openapi({ description: 'Why, for the history.' }),
    name: text(200),
    language: text(40),
    public: z.boolean(),
    max_concurrent_interactions: z.int(),
    greeting: text(2_000).nullable(),
    system_prompt: text(60_000),
    model_settings: settings,
    voice_settings: settings.openapi({ description: 'Empty for a chat agent.' }),
    tools: z.array(
      z.strictObject({ tool_name: text(200), requires_permission: z.boolean(), tool_config: settings }),
    ),
  })
  .openapi('EditAgent');
export type AgentEdit = Omit<z.output<typeof editAgentSchema>, 'version' | 'note'>;

export const agentVersionSchema = z
  .object({
    version: z.number(),
    source: z.enum(['first', 'apply', 'console', 'rollback', 'assignment', 'other']),
    restored_version: z.number().nullable(),
    note: z.string().nullable(),
    changed_by: idSchema.nullable().openapi({ description: 'Null for a command of an operator.' }),
    changed_by_name: z.string().nullable(),
    created_at: timestamp,
    definition: z.looseObject({
      name: z.string(),
      language: z.string(),
      public: z.boolean(),
      max_concurrent_interactions: z.number(),
      greeting: z.string().nullable(),
      system_prompt: z.string(),
      model_settings: settings,
      voice_settings: settings,
      supervisor_id: idSchema,
      cover_id: idSchema.nullable(),
      tools: z.array(toolSchema),
    }),
  })
  .openapi('AgentVersion');
