import type { SupabaseClient } from '@supabase/supabase-js';
import { toolCallSchema } from '../schemas.ts';
import { readRows } from './query.ts';

const COLUMNS =
  'id,interaction_id,call_id,tool_name,arguments,state,refusal_reason,output,requested_at,started_at,finished_at';
/** PostgREST gives no more at once; no conversation has as many. */
const AT_MOST = 1_000;

export async function listToolCalls(db: SupabaseClient, interactionId: string) {
  const query = db
    .from('tool_calls')
    .select(COLUMNS)
    .eq('interaction_id', interactionId)
    .order('requested_at')
    .order('id')
    .limit(AT_MOST);
  return readRows(query, toolCallSchema);
}
