import type { SupabaseClient } from '@supabase/supabase-js';
import { agentSchema } from '../schemas.ts';
import { readRows } from './query.ts';

const COLUMNS =
  'id,name,slug,agent_type,status,public,language,supervisor_id,cover_id,max_concurrent_interactions,version,updated_at';

/** At most three agents a supervisor: a list without pages. */
export async function listAgents(db: SupabaseClient) {
  const query = db.from('agents').select(COLUMNS).is('deleted_at', null).order('name').order('id');
  return readRows(query, agentSchema);
}

/** Those of them that were not removed. */
export function agentsByIds(db: SupabaseClient, ids: readonly string[]) {
  const query = db.from('agents').select(COLUMNS).in('id', ids).is('deleted_at', null);
  return readRows(query, agentSchema);
}
