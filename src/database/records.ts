import { z } from 'zod';
import type { Database } from './client.ts';
import { callFunction } from './rpc.ts';

export interface NewMessage {
  readonly item_id: string;
  readonly role: 'customer' | 'agent' | 'supervisor' | 'system';
  readonly content: string;
  readonly interrupted?: boolean;
  /** ISO 8601. */
  readonly spoken_at?: string | null;
  readonly metadata?: Record<string, unknown>;
}

export interface NewStep {
  readonly step_id: string;
  /** Lower case with underscores: llm_call, tool_call, tool_result, handoff, decision, takeover… */
  readonly step_type: string;
  readonly name?: string | null | undefined;
  readonly input?: unknown;
  readonly output?: unknown;
  readonly duration_ms?: number | null | undefined;
  readonly model?: string | null | undefined;
  readonly tokens_input?: number | null | undefined;
  readonly tokens_output?: number | null | undefined;
  readonly characters?: number | null | undefined;
  readonly audio_seconds?: number | null | undefined;
  readonly error?: unknown;
  /** ISO 8601. */
  readonly happened_at?: string | undefined;
}

export interface RecordBatch {
  readonly interaction_id: string;
  readonly generation: number;
  readonly messages?: readonly NewMessage[];
  readonly steps?: readonly NewStep[];
}

const appendedSchema = z.array(
  z.object({
    interaction_id: z.guid(),
    stored: z.boolean(),
    reason: z.enum(['stale', 'not_found']).optional(),
  }),
);

/** Stores messages and steps of several interactions. The same ids again change nothing but a message's text. */
export function appendRecords(
  db: Database,
  batch: readonly RecordBatch[],
): Promise<z.output<typeof appendedSchema>> {
  return callFunction(db, 'append_records', { p_batch: batch }, appendedSchema);
}

/**
 * Stores what a process has left that is dead, also when somebody else carries the interaction on by now: then it is put
 * where it was said, and what is there already stays as it is.
 */
export function appendLeftRecords(
  db: Database,
  batch: readonly RecordBatch[],
): Promise<z.output<typeof appendedSchema>> {
  return callFunction(db, 'append_left_records', { p_batch: batch }, appendedSchema);
}

export interface NewMetric {
  readonly interaction_id: string;
  readonly generation: number;
  /** ISO 8601; the time of the tick, also when the row is sent later. */
  readonly timestamp: string;
  readonly sentiment: 'good' | 'neutral' | 'critical';
  /** 0 to 100. */
  readonly satisfaction_score: number;
  readonly feed_text: string;
}

/** `refused`: rows of an interaction that has ended or belongs to another generation. */
export function recordMetrics(
  db: Database,
  rows: readonly NewMetric[],
): Promise<{ stored: number; refused: number }> {
  return callFunction(
    db,
    'record_metrics',
    { p_rows: rows },
    z.object({ stored: z.number(), refused: z.number() }),
  );
}

/** As {@link appendLeftRecords}; an interaction that has ended has no rows any more. */
export function recordLeftMetrics(db: Database, rows: readonly NewMetric[]): Promise<{ stored: number }> {
  return callFunction(db, 'record_left_metrics', { p_rows: rows }, z.object({ stored: z.number() }));
}
