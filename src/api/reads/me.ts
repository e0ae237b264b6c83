import type { SupabaseClient } from '@supabase/supabase-js';
import { z } from 'zod';
import { FloorwalkerError } from '../../errors.ts';
import type { Person } from '../environment.ts';
import { readBusiness } from './business.ts';
import { readRows } from './query.ts';

const profileSchema = z.object({
  id: z.string(),
  name: z.string(),
  username: z.string().nullable(),
  email: z.string(),
  role: z.enum(['admin', 'supervisor']),
  supervisor_type: z.enum(['voice', 'chat']).nullable(),
});
const ownAgentSchema = z.object({
  id: z.string(),
  name: z.string(),
  supervisor_id: z.string(),
  cover_id: z.string().nullable(),
});

/** @throws FloorwalkerError `not_a_member` for an account that was removed since its token was checked */
export async function readMe({ id, db }: Person) {
  const [profiles, business, agents] = await Promise.all([
    readRows(
      db
        .from('users')
        .select('id,name,username,email,role,supervisor_type')
        .eq('id', id)
        .is('deleted_at', null)
        .limit(1),
      profileSchema,
    ),
    readBusiness(db),
    ownAgents(db, id),
  ]);
  const [profile] = profiles;
  if (profile === undefined) throw new FloorwalkerError('not_a_member');
  const { name, slug, time_zone } = business;
  return {
    ...profile,
    business: { id: business.id, name, slug, time_zone },
    agents: agents.map((agent) => ({
      id: agent.id,
      name: agent.name,
      covering: agent.supervisor_id !== id,
    })),
  };
}

function ownAgents(db: SupabaseClient, id: string) {
  const query = db
    .from('agents')
    .select('id,name,supervisor_id,cover_id')
    .or(`supervisor_id.eq.${id},cover_id.eq.${id}`)
    .is('deleted_at', null);
  return readRows(query.order('name').order('id'), ownAgentSchema);
}
