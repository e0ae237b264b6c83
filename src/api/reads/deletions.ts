import type { SupabaseClient } from '@supabase/supabase-js';
import { cutPage, decodeTimeCursor } from '../page.ts';
import { receiptSchema } from '../schemas.ts';
import { readRows } from './query.ts';

const COLUMNS = 'id,subject_kind,subject_hash,counts,deleted_by,deleted_by_name,deleted_at,hash';

/** Those of the person's business, newest first; others than admins see none. */
export async function listReceipts(
  db: SupabaseClient,
  page: { readonly limit: number; readonly cursor?: string | undefined },
) {
  let query = db.from('deletion_receipts').select(COLUMNS);
  if (page.cursor !== undefined) {
    const [time, id] = decodeTimeCursor(page.cursor);
    query = query.or(`deleted_at.lt."${time}",and(deleted_at.eq."${time}",id.lt.${id})`);
  }
  const rows = await readRows(
    query
      .order('deleted_at', { ascending: false })
      .order('id', { ascending: false })
      .limit(page.limit + 1),
    receiptSchema,
  );
  return cutPage(rows, page.limit, (row) => [row.deleted_at, row.id]);
}
