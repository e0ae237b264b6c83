import { z } from 'zod';
import type { Config } from '../../config.ts';
import { createServiceClient, type Database } from '../../database/client.ts';
import { type AgentToolRow, agentRowSchema, agentToolRowSchema } from '../../database/rows.ts';
import { databaseError } from '../../database/rpc.ts';
import { FloorwalkerError } from '../../errors.ts';
import { createLog } from '../../log.ts';
import { openCatalogue } from '../../tools/catalogue.ts';
import { CONSENT_LIMIT_MS, ServerPool } from '../../tools/server-pool.ts';
import { createToolTokens } from '../../tools/token-rows.ts';
import type { BoundIdentity, ToolCatalogue } from '../../tools/types.ts';
import { findBusiness } from '../agent-store.ts';

const CONNECT_TIMEOUT_MS = 15_000;
export const NOBODY_YET = '00000000-0000-0000-0000-000000000000';

export interface ToolAgent {
  readonly db: Database;
  readonly id: string;
  readonly businessId: string;
  readonly channel: 'voice' | 'chat';
  readonly rows: readonly AgentToolRow[];
}

/** @throws FloorwalkerError `agent_not_found`, `business_not_found` */
export async function findToolAgent(
  supabase: Config['supabase'],
  slug: string,
  business: string | undefined,
): Promise<ToolAgent> {
  const db = createServiceClient(supabase);
  const { id: businessId } = await findBusiness(db, business);
  const found = await db
    .from('agents')
    .select('*')
    .eq('business_id', businessId)
    .eq('slug', slug)
    .is('deleted_at', null);
  if (found.error !== null) throw databaseError(found.error, found.status, 'agents');
  const [agent] = z.array(agentRowSchema).parse(found.data);
  if (agent === undefined) throw new FloorwalkerError('agent_not_found', `There is no agent "${slug}".`);
  const tools = await db.from('agent_tools').select('*').eq('agent_id', agent.id).order('tool_name');
  if (tools.error !== null) throw databaseError(tools.error, tools.status, 'agent_tools');
  return {
    db,
    id: agent.id,
    businessId,
    channel: agent.agent_type,
    rows: z.array(agentToolRowSchema).parse(tools.data),
  };
}

export interface Authorisation {
  readonly redirectUrl: string;
  authorize(url: URL): Promise<URLSearchParams>;
}

/** The agent's tools exactly as a conversation has them, for as long as `use` runs. */
export async function withTools<T>(
  agent: ToolAgent,
  config: Config['tools'],
  options: { identity?: Partial<BoundIdentity>; authorisation?: Authorisation },
  use: (catalogue: ToolCatalogue) => Promise<T>,
): Promise<T> {
  const log = createLog({ level: 'silent' });
  const pool = new ServerPool({
    config,
    log,
    tokens: createToolTokens(agent.db, config),
    ...(options.authorisation ?? {}),
  });
  const identity = {
    businessId: agent.businessId,
    interactionId: NOBODY_YET,
    customerId: null,
    phoneNumber: null,
    phoneSource: null,
    ...options.identity,
  };
  try {
    const deps = {
      config,
      identity,
      log,
      pool,
      onStep: () => undefined,
      connectTimeoutMs: options.authorisation === undefined ? CONNECT_TIMEOUT_MS : CONSENT_LIMIT_MS,
    };
    const catalogue = await openCatalogue(agent.rows, deps);
    return await use(catalogue).finally(() => catalogue.close());
  } finally {
    await pool.close();
  }
}
