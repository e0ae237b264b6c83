import type { SupabaseClient } from '@supabase/supabase-js';
import { z } from 'zod';
import { cutPage, decodeTimeCursor } from '../page.ts';
import { permissionSchema } from '../schemas.ts';
import { readRows, sameText } from './query.ts';

const COLUMNS =
  'id,interaction_id,call_id,tool_name,tool_description,arguments,status,requested_at,expires_at,responded_at,decided_by,note,edited_arguments,escalated_at,scope,scope_revoked_at,scope_revoked_by';

/** Those that wait: the nearest deadline first. */
export async function listPermissions(
  db: SupabaseClient,
  filter: { readonly status: string; readonly interactionId?: string | undefined },
  page: { readonly limit: number; readonly cursor?: string | undefined },
) {
  let query = db.from('tool_permissions').select(COLUMNS).eq('status', filter.status);
  if (filter.interactionId) query = query.eq('interaction_id', filter.interactionId);
  if (page.cursor !== undefined) {
    const [time, id] = decodeTimeCursor(page.cursor);
    query = query.or(`expires_at.gt."${time}",and(expires_at.eq."${time}",id.gt.${id})`);
  }
  const rows = await readRows(
    query
      .order('expires_at')
      .order('id')
      .limit(page.limit + 1),
    permissionSchema,
  );
  return cutPage(rows, page.limit, (row) => [row.expires_at, row.id]);
}

export async function findPermission(db: SupabaseClient, id: string) {
  const query = db.from('tool_permissions').select(COLUMNS).eq('id', id).limit(1);
  return (await readRows(query, permissionSchema))[0];
}

export function permissionsByIds(db: SupabaseClient, ids: readonly string[]) {
  return readRows(db.from('tool_permissions').select(COLUMNS).in('id', ids), permissionSchema);
}

const callSchema = z.object({ definition_hash: z.string().nullable() });

export async function findDefinitionHash(db: SupabaseClient, interactionId: string, callId: string) {
  const query = db
    .from('tool_calls')
    .select('definition_hash')
    .eq('interaction_id', interactionId)
    .filter('call_id', ...sameText(callId))
    .limit(1);
  return (await readRows(query, callSchema))[0]?.definition_hash ?? null;
}

const toolSchema = z.object({
  tool_config: z.looseObject({ input_schema: z.record(z.string(), z.unknown()).optional() }),
});

/** The schema an agent's tool was stored with; tools of an MCP server have theirs at the server. */
export async function findStoredSchema(db: SupabaseClient, agentId: string, toolName: string) {
  const query = db
    .from('agent_tools')
    .select('tool_config')
    .eq('agent_id', agentId)
    .filter('tool_name', ...sameText(toolName))
    .limit(1);
  return (await readRows(query, toolSchema))[0]?.tool_config.input_schema;
}
