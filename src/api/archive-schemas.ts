import { z } from '@hono/zod-openapi';
import { archiveSchema, channelSchema, idSchema, messageSchema, stepSchema, text } from './schemas.ts';

const timestamp = z.string().openapi({ format: 'date-time', example: '2026-03-01T09:30:00.123456+00:00' });
const json = z.unknown();
const instant = z.iso.datetime({ offset: true });
const tag = z.string().regex(/^[a-z0-9][a-z0-9_]{0,59}$/, 'must be lower_snake_case');
const csatSource = z.enum(['model', 'customer', 'metrics']);

export const archiveFilter = {
  text: text(200).optional().openapi({
    description:
      'Words of summary, issues or transcript; "a phrase", `or` and -not as in web searches. Words are matched by their stem in the language of the agent.',
    example: 'refund -"gift card"',
  }),
  phone: text(40)
    .regex(/^[0-9 ()+./-]+$/, 'must be digits, with +, spaces and the like between them')
    .optional()
    .openapi({ description: 'Any piece of the number with at least three digits.', example: '0632' }),
  tag: tag.optional().openapi({ description: 'A topic, or the tag of an issue.' }),
  issue: tag.optional().openapi({ description: 'The tag of an issue.' }),
  issue_status: z.enum(['resolved', 'unresolved']).optional(),
  sentiment: z.enum(['good', 'neutral', 'critical']).optional(),
  kind: z.enum(['live', 'rehearsal']).default('live'),
  agent_id: idSchema.optional(),
  from: instant.optional().openapi({ description: 'Started at or after.' }),
  to: instant.optional().openapi({ description: 'Started before.' }),
};

export const foundArchiveSchema = z
  .object({
    interaction_id: idSchema,
    agent_id: idSchema,
    agent_name: z.string(),
    channel: channelSchema,
    kind: z.enum(['live', 'rehearsal']),
    status: z.enum(['completed', 'failed']),
    end_reason: z.string().nullable(),
    phone_number: z.string().nullable(),
    phone_source: z.enum(['claimed', 'sip', 'verified']).nullable(),
    started_at: timestamp,
    ended_at: timestamp.nullable(),
    duration_seconds: z.number().nullable(),
    disposition: z.string().nullable(),
    summary: z.string(),
    summary_source: z.enum(['facts', 'model']),
    issues: json.openapi({ description: 'A list of {issue, status, priority}.' }),
    tags: json.openapi({ description: '{topics, sentiment, issues: [{tag, status}]}' }),
    csat_score: z.number().nullable(),
    csat_source: csatSource.nullable(),
    fcr_status: z.boolean(),
    excerpt: z
      .object({ seq: z.number(), role: z.string(), text: z.string() })
      .nullable()
      .openapi({ description: 'Where the text was found in the transcript; plain text.' }),
  })
  .openapi('FoundArchive');

export const archivePageSchema = z
  .object({
    data: z.array(foundArchiveSchema),
    next_cursor: z.string().nullable(),
    looked_back_to: timestamp.nullable().openapi({
      description:
        'Among very many archives a search stops when it has taken long enough: then the page is not full, or empty, everything since this time has been looked at, and next_cursor goes on from there. Null where the page is full or nothing older is left.',
    }),
  })
  .openapi('ArchivePage');

const replayedCallSchema = z
  .object({
    call_id: z.string(),
    tool_name: z.string(),
    arguments: json,
    state: z.string(),
    refusal_reason: z.string().nullable(),
    output: z.string().nullable(),
    requires_permission: z.boolean(),
    requested_at: timestamp,
    started_at: timestamp.nullable(),
    finished_at: timestamp.nullable(),
    duration_ms: z.number().nullable(),
    permission: z
      .object({
        status: z.string(),
        note: z.string().nullable(),
        edited_arguments: json,
        decided_by: idSchema.nullable(),
        decided_by_name: z.string().nullable(),
        responded_at: timestamp.nullable(),
      })
      .nullable(),
  })
  .openapi('ReplayedCall');

export const replaySchema = z
  .object({
    interaction_id: idSchema,
    agent_id: idSchema,
    agent_name: z.string(),
    agent_version: z.number().nullable(),
    channel: channelSchema,
    kind: z.enum(['live', 'rehearsal']),
    direction: z.enum(['inbound', 'outbound']),
    status: z.enum(['completed', 'failed']),
    end_reason: z.string().nullable(),
    phone_number: z.string().nullable(),
    phone_source: z.enum(['claimed', 'sip', 'verified']).nullable(),
    queued_at: timestamp,
    started_at: timestamp,
    ended_at: timestamp.nullable(),
    duration_seconds: z.number().nullable(),
    disposition: z.string().nullable(),
    supervisor_notes: z.string().nullable(),
    rating: z.number().nullable(),
    rating_comment: z.string().nullable(),
    archive: archiveSchema
      .extend({
        facts: json.openapi({ description: 'Counts of messages, calls, permissions, tokens; sentiment.' }),
      })
      .openapi('ReplayedArchive'),
    messages: z.array(messageSchema),
    steps: z.array(stepSchema).openapi({ description: 'By the time at which they happened.' }),
    tool_calls: z.array(replayedCallSchema),
  })
  .openapi('Replay');
