import type { SupabaseClient } from '@supabase/supabase-js';
import { z } from 'zod';
import { auditEventSchema } from '../admin-schemas.ts';
import { cutPage, decodeNumberCursor } from '../page.ts';
import { readRows } from './query.ts';

const COLUMNS = 'id,created_at,actor_id,actor_kind,action,subject_type,subject_id,details';
const rowSchema = auditEventSchema.omit({ actor_name: true });
const nameSchema = z.object({ id: z.string(), name: z.string() });

export interface AuditFilter {
  readonly actor?: string | undefined;
  readonly action?: string[] | undefined;
  readonly subject?: string | undefined;
  readonly from?: string | undefined;
  readonly to?: string | undefined;
}

/** Newest first; the names are those that people have now, also of people who were removed. */
export async function listAudit(
  db: SupabaseClient,
  filter: AuditFilter,
  page: { readonly limit: number; readonly cursor?: string | undefined },
) {
  let query = db.from('audit_events').select(COLUMNS);
  if (filter.actor) query = query.eq('actor_id', filter.actor);
  if (filter.action) query = query.in('action', filter.action);
  if (filter.subject) query = query.in('subject_id', [filter.subject]);
  if (filter.from) query = query.gte('created_at', filter.from);
  if (filter.to) query = query.lt('created_at', filter.to);
  if (page.cursor !== undefined) query = query.lt('id', decodeNumberCursor(page.cursor));
  const rows = await readRows(query.order('id', { ascending: false }).limit(page.limit + 1), rowSchema);
  const { data, next_cursor } = cutPage(rows, page.limit, (row) => [row.id]);

  const actors = [...new Set(data.flatMap(({ actor_id }) => (actor_id === null ? [] : [actor_id])))];
  const people =
    actors.length === 0
      ? []
      : await readRows(db.from('users').select('id,name').in('id', actors).limit(actors.length), nameSchema);
  const names = new Map(people.map(({ id, name }) => [id, name]));
  return {
    data: data.map((row) => ({ ...row, actor_name: names.get(row.actor_id ?? '') ?? null })),
    next_cursor,
  };
}
