import type { SupabaseClient } from '@supabase/supabase-js';
import { z } from 'zod';
import { AGENT_VARIABLES } from '../../definitions/opening.ts';
import { agentDetailSchema, agentVersionSchema } from '../agent-schemas.ts';
import type { Person } from '../environment.ts';
import { cutPage, decodeNumberCursor } from '../page.ts';
import { readRows } from './query.ts';

const COLUMNS =
  'id,name,slug,agent_type,status,public,language,supervisor_id,cover_id,max_concurrent_interactions,version,updated_at,greeting,system_prompt,model_settings,voice_settings';
const VERSION_COLUMNS =
  'version,source,restored_version,note,changed_by,changed_by_name,created_at,definition';

const rowSchema = agentDetailSchema.omit({ tools: true, variables: true, may: true });
const toolSchema = z.object({
  tool_name: z.string(),
  requires_permission: z.boolean(),
  tool_config: z.record(z.string(), z.unknown()),
});

export async function findAgentDetail({ db, role }: Person, id: string) {
  const [[agent], tools] = await Promise.all([
    readRows(db.from('agents').select(COLUMNS).eq('id', id).is('deleted_at', null).limit(1), rowSchema),
    readRows(
      db
        .from('agent_tools')
        .select('tool_name,requires_permission,tool_config')
        .eq('agent_id', id)
        .order('tool_name'),
      toolSchema,
    ),
  ]);
  if (agent === undefined) return undefined;
  const isAdmin = role === 'admin';
  return {
    ...agent,
    tools,
    variables: [...AGENT_VARIABLES],
    may: { change_tools: isAdmin, remove_gates: isAdmin, assign: isAdmin },
  };
}

/** Newest first. */
export async function listAgentVersions(
  db: SupabaseClient,
  agentId: string,
  page: { readonly limit: number; readonly cursor?: string | undefined },
) {
  let query = db.from('agent_versions').select(VERSION_COLUMNS).eq('agent_id', agentId);
  if (page.cursor !== undefined) query = query.lt('version', decodeNumberCursor(page.cursor));
  const rows = await readRows(
    query.order('version', { ascending: false }).limit(page.limit + 1),
    agentVersionSchema,
  );
  return cutPage(rows, page.limit, (row) => [row.version]);
}
