import type { SupabaseClient } from '@supabase/supabase-js';
import { z } from 'zod';
import { FloorwalkerError } from '../../errors.ts';
import { readRows } from './query.ts';

const agentSchema = z.object({
  id: z.string(),
  business_id: z.string(),
  name: z.string(),
  agent_type: z.enum(['voice', 'chat']),
  language: z.string(),
});
const businessSchema = z.object({ id: z.string(), name: z.string(), slug: z.string() });

/**
 * Public agents of one business. Which businesses an installation serves is nobody's business: where there are
 * several, the caller has to know the one, or the one agent.
 *
 * @throws FloorwalkerError `business_not_found`, `invalid_request` where it must be said which business
 */
export async function listPublicAgents(
  db: SupabaseClient,
  { business: slug, agent_id }: { business?: string | undefined; agent_id?: string | undefined },
) {
  const known = db.from('businesses').select('id,name,slug').is('deleted_at', null);
  const businesses = await readRows(
    (slug === undefined ? known : known.in('slug', [slug])).limit(100),
    businessSchema,
  );
  const ids = businesses.map(({ id }) => id);
  const open = db
    .from('agents')
    .select('id,business_id,name,agent_type,language')
    .in('business_id', ids)
    .eq('public', true)
    .is('deleted_at', null);
  const agents =
    ids.length === 0
      ? []
      : await readRows(
          (agent_id === undefined ? open : open.eq('id', agent_id)).order('name').order('id').limit(200),
          agentSchema,
        );
  const [business, another] = businesses.filter(({ id }) => agents.some((agent) => agent.business_id === id));
  if (another !== undefined) {
    throw new FloorwalkerError(
      'invalid_request',
      'business: there are several; say which one by its slug, for example ?business=paper-and-pen',
    );
  }
  if (business === undefined) {
    if (slug !== undefined && businesses.length === 0) throw new FloorwalkerError('business_not_found');
    return [];
  }
  return agents.map(({ business_id: _, ...agent }) => ({
    ...agent,
    business_name: business.name,
    business_slug: business.slug,
  }));
}
