import type { SupabaseClient } from '@supabase/supabase-js';
import { cutPage, decodeTimeCursor } from '../page.ts';
import { callbackSchema } from '../schemas.ts';
import { readRows } from './query.ts';

const COLUMNS =
  'id,interaction_id,agent_id,phone_number,reason,preferred_time,requested_at,done_at,done_by,done_by_name,note';

export function callbacksByIds(db: SupabaseClient, ids: readonly string[]) {
  return readRows(db.from('callback_requests').select(COLUMNS).in('id', ids), callbackSchema);
}

/** Who waits longest comes first. */
export async function listCallbacks(
  db: SupabaseClient,
  filter: { readonly status: 'open' | 'done' },
  page: { readonly limit: number; readonly cursor?: string | undefined },
) {
  let query = db.from('callback_requests').select(COLUMNS).eq('kind', 'live');
  query = filter.status === 'open' ? query.is('done_at', null) : query.not('done_at', 'is', null);
  if (page.cursor !== undefined) {
    const [time, id] = decodeTimeCursor(page.cursor);
    query = query.or(`requested_at.gt."${time}",and(requested_at.eq."${time}",id.gt.${id})`);
  }
  const rows = await readRows(
    query
      .order('requested_at')
      .order('id')
      .limit(page.limit + 1),
    callbackSchema,
  );
  return cutPage(rows, page.limit, (row) => [row.requested_at, row.id]);
}
