import type { SupabaseClient } from '@supabase/supabase-js';
import { z } from 'zod';
import { readRows } from './query.ts';

const rowSchema = z.object({ businesses: z.object({ allowed_origins: z.array(z.string()) }) });

/** Origins whose pages may show this agent's widget; undefined when there is no such public agent. */
export async function findWidgetOrigins(db: SupabaseClient, agentId: string): Promise<string[] | undefined> {
  // Named, because a table that refers to both would be a second way from one to the other.
  const query = db
    .from('agents')
    .select('businesses!agents_business_id_fkey!inner(allowed_origins)')
    .eq('id', agentId)
    .is('public', true)
    .is('deleted_at', null)
    .limit(1);
  return (await readRows(query, rowSchema))[0]?.businesses.allowed_origins;
}
