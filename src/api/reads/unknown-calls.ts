import type { SupabaseClient } from '@supabase/supabase-js';
import { callResolutionSchema } from '../../database/rows.ts';
import { cutPage, decodeTimeCursor } from '../page.ts';
import { idSchema, timestamp, toolCallSchema } from '../schemas.ts';
import { readRows } from './query.ts';

const COLUMNS =
  'id,interaction_id,call_id,tool_name,arguments,state,refusal_reason,output,requested_at,started_at,finished_at,resolution,resolution_note,resolved_by,resolved_at';

export const unknownCallSchema = toolCallSchema
  .extend({
    resolution: callResolutionSchema.nullable(),
    resolution_note: toolCallSchema.shape.output,
    resolved_by: idSchema.nullable(),
    resolved_at: timestamp.nullable(),
  })
  .openapi('UnknownToolCall');

/** Those that wait for a person's answer, the oldest first. */
export async function listUnknownCalls(
  db: SupabaseClient,
  page: { readonly limit: number; readonly cursor?: string | undefined },
) {
  // Quoted: the embedded REST server takes the bare word for SQL's own unknown, which nothing equals.
  let query = db
    .from('tool_calls')
    .select(COLUMNS)
    .filter('state', 'in', '("unknown")')
    .is('resolution', null);
  if (page.cursor !== undefined) {
    const [time, id] = decodeTimeCursor(page.cursor);
    query = query.or(`requested_at.gt."${time}",and(requested_at.eq."${time}",id.gt.${id})`);
  }
  const rows = await readRows(
    query
      .order('requested_at')
      .order('id')
      .limit(page.limit + 1),
    unknownCallSchema,
  );
  return cutPage(rows, page.limit, (row) => [row.requested_at, row.id]);
}
