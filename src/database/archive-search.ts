import { z } from 'zod';
import type { Database } from './client.ts';
import { channelSchema, phoneSourceSchema } from './rows.ts';
import { callFunction } from './rpc.ts';

/** What to look for; all of it together. Times are instants of ISO 8601, `to` excluded. */
export interface ArchiveFilter {
  /** Words in summary, issues and transcript; `"a phrase"`, `or` and `-not` as in web searches. */
  readonly text?: string | undefined;
  /** Any piece of at least three digits. */
  readonly phone?: string | undefined;
  /** A topic or the tag of an issue. */
  readonly tag?: string | undefined;
  readonly issue?: string | undefined;
  readonly issue_status?: 'resolved' | 'unresolved' | undefined;
  readonly sentiment?: 'good' | 'neutral' | 'critical' | undefined;
  readonly kind?: 'live' | 'rehearsal' | undefined;
  readonly agent_id?: string | undefined;
  readonly from?: string | undefined;
  readonly to?: string | undefined;
}

export interface ArchivePlace {
  readonly time: string;
  readonly id: string;
  /** Where a search stopped on its way: how many days of archives it looks at best to begin with. */
  readonly days?: number | undefined;
}

const json = z.unknown();
const kindSchema = z.enum(['live', 'rehearsal']);
const csatSourceSchema = z.enum(['model', 'customer', 'metrics']);

const foundArchiveSchema = z.object({
  interaction_id: z.guid(),
  agent_id: z.guid(),
  agent_name: z.string(),
  channel: channelSchema,
  kind: kindSchema,
  status: z.enum(['completed', 'failed']),
  end_reason: z.string().nullable(),
  phone_number: z.string().nullable(),
  phone_source: phoneSourceSchema.nullable(),
  started_at: z.string(),
  ended_at: z.string().nullable(),
  duration_seconds: z.number().nullable(),
  disposition: z.string().nullable(),
  summary: z.string(),
  summary_source: z.enum(['facts', 'model']),
  issues: json,
  tags: json,
  csat_score: z.coerce.number().nullable(),
  csat_source: csatSourceSchema.nullable(),
  fcr_status: z.boolean(),
  excerpt: z.object({ seq: z.number(), role: z.string(), text: z.string() }).nullable(),
});
export type FoundArchive = z.output<typeof foundArchiveSchema>;

const foundPageSchema = z.object({
  archives: z.array(foundArchiveSchema),
  reached: z.object({ time: z.string(), id: z.guid(), days: z.int() }).nullable(),
});
export type FoundPage = z.output<typeof foundPageSchema>;

/**
 * Archives that the signed-in person may see, newest first by the interaction's start. Among very many of them a search
 * stops when it has taken some `patienceMs` (milliseconds): then there are fewer than `limit`, or none, and `reached` is
 * the place up to which all has been looked at. With that as `after` it goes on; it gets further each time.
 *
 * @throws FloorwalkerError `search_invalid` (a piece of a phone number too short, only frequent words), `not_allowed`
 */
export function searchArchives(
  db: Database,
  args: {
    filter: ArchiveFilter & { excerpt?: boolean };
    after?: ArchivePlace | undefined;
    limit: number;
    patienceMs: number;
  },
): Promise<FoundPage> {
  const parameters = {
    p_filter: args.filter,
    p_after_time: args.after?.time ?? null,
    p_after_id: args.after?.id ?? null,
    p_limit: args.limit,
    p_patience_ms: args.patienceMs,
    p_days: args.after?.days ?? null,
  };
  return callFunction(db, 'look_through_archives', parameters, foundPageSchema);
}

const replaySchema = z.object({
  interaction_id: z.guid(),
  agent_id: z.guid(),
  agent_name: z.string(),
  agent_version: z.number().nullable(),
  channel: channelSchema,
  kind: kindSchema,
  direction: z.enum(['inbound', 'outbound']),
  status: z.enum(['completed', 'failed']),
  end_reason: z.string().nullable(),
  phone_number: z.string().nullable(),
  phone_source: phoneSourceSchema.nullable(),
  queued_at: z.string(),
  started_at: z.string(),
  ended_at: z.string().nullable(),
  duration_seconds: z.number().nullable(),
  disposition: z.string().nullable(),
  supervisor_notes: z.string().nullable(),
  rating: z.number().nullable(),
  rating_comment: z.string().nullable(),
  archive: z.object({
    summary: z.string(),
    summary_source: z.enum(['facts', 'model']),
    issues: json,
    tags: json,
    csat_score: z.coerce.number().nullable(),
    csat_source: csatSourceSchema.nullable(),
    resolution_time_seconds: z.number().nullable(),
    fcr_status: z.boolean(),
    metrics_series: json,
    facts: json,
    created_at: z.string(),
  }),
  messages: z.array(
    z.object({
      seq: z.number(),
      item_id: z.string(),
      role: z.enum(['customer', 'agent', 'supervisor', 'system']),
      content: z.string(),
      interrupted: z.boolean(),
      spoken_at: z.string().nullable(),
      created_at: z.string(),
    }),
  ),
  steps: z.array(
    z.object({
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
      audio_seconds: z.coerce.number().nullable(),
      happened_at: z.string(),
    }),
  ),
  tool_calls: z.array(
    z.object({
      call_id: z.string(),
      tool_name: z.string(),
      arguments: json,
      state: z.string(),
      refusal_reason: z.string().nullable(),
      output: z.string().nullable(),
      requires_permission: z.boolean(),
      requested_at: z.string(),
      started_at: z.string().nullable(),
      finished_at: z.string().nullable(),
      duration_ms: z.number().nullable(),
      permission: z
        .object({
          status: z.string(),
          note: z.string().nullable(),
          edited_arguments: json,
          decided_by: z.guid().nullable(),
          decided_by_name: z.string().nullable(),
          responded_at: z.string().nullable(),
        })
        .nullable(),
    }),
  ),
});
export type Replay = z.output<typeof replaySchema>;

/** @throws FloorwalkerError `interaction_not_found`, `archive_not_found` (still open, or past retention) */
export function archiveReplay(db: Database, args: { interactionId: string }): Promise<Replay> {
  return callFunction(db, 'archive_replay', { p_interaction_id: args.interactionId }, replaySchema);
}

/** As {@link archiveReplay}, and writes down that it was taken away. */
export function exportArchive(
  db: Database,
  args: { interactionId: string; format: 'json' | 'markdown' },
): Promise<Replay> {
  const parameters = { p_interaction_id: args.interactionId, p_format: args.format };
  return callFunction(db, 'export_archive', parameters, replaySchema);
}

/**
 * Writes down that what this filter finds is about to be taken away.
 *
 * @throws FloorwalkerError `search_invalid`, `not_allowed`
 */
export function beginArchiveExport(
  db: Database,
  args: { filter: ArchiveFilter; format: 'csv' },
): Promise<{ time_zone: string }> {
  const parameters = { p_filter: args.filter, p_format: args.format };
  return callFunction(db, 'begin_archive_export', parameters, z.object({ time_zone: z.string() }));
}
