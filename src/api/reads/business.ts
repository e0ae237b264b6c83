import type { SupabaseClient } from '@supabase/supabase-js';
import { FloorwalkerError } from '../../errors.ts';
import { businessSchema } from '../admin-schemas.ts';
import { readRows } from './query.ts';

const COLUMNS = 'id,name,slug,time_zone,allowed_origins,retention,tag_vocabulary,updated_at';

/** The person's own: there is no other that they may see. @throws FloorwalkerError `business_not_found` */
export async function readBusiness(db: SupabaseClient) {
  const [business] = await readRows(db.from('businesses').select(COLUMNS).limit(1), businessSchema);
  if (business === undefined) throw new FloorwalkerError('business_not_found');
  return business;
}
