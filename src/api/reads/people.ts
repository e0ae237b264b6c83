import type { SupabaseClient } from '@supabase/supabase-js';
import { z } from 'zod';
import { personSchema } from '../admin-schemas.ts';
import { readRows } from './query.ts';

const COLUMNS = 'id,email,name,username,role,supervisor_type,last_seen_at,created_at,deleted_at';
const rowSchema = personSchema.omit({ agents: true });
const agentSchema = z.object({
  id: z.string(),
  name: z.string(),
  supervisor_id: z.string(),
  cover_id: z.string().nullable(),
});

/** Everybody of the business whom an admin sees, with the agents they supervise or cover. */
export async function listPeople(db: SupabaseClient, filter: { removed: boolean; id?: string }) {
  let people = db.from('users').select(COLUMNS);
  if (!filter.removed) people = people.is('deleted_at', null);
  if (filter.id !== undefined) people = people.eq('id', filter.id);
  const agents = db.from('agents').select('id,name,supervisor_id,cover_id').is('deleted_at', null);
  const [rows, found] = await Promise.all([
    readRows(people.order('name').order('id').limit(1_000), rowSchema),
    readRows(agents.order('name').order('id').limit(1_000), agentSchema),
  ]);
  return rows.map((person) => ({
    ...person,
    agents: found
      .filter(({ supervisor_id, cover_id }) => supervisor_id === person.id || cover_id === person.id)
      .map(({ id, name, supervisor_id }) => ({ id, name, covering: supervisor_id !== person.id })),
  }));
}
