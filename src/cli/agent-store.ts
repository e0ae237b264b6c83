import { z } from 'zod';
import type { Database } from '../database/client.ts';
import { agentRowSchema, agentToolRowSchema } from '../database/rows.ts';
import { callFunction, databaseError } from '../database/rpc.ts';
import type { AgentState } from '../definitions/agent-diff.ts';
import { FloorwalkerError } from '../errors.ts';

/** What the commands about agents read and write. */

const businessSchema = z.object({ id: z.guid(), slug: z.string(), name: z.string() });
export type Business = z.output<typeof businessSchema>;

const supervisorSchema = z.object({
  id: z.guid(),
  email: z.string(),
  username: z.string().nullable(),
  supervisor_type: z.enum(['voice', 'chat']).nullable(),
});
export type Supervisor = z.output<typeof supervisorSchema>;

export interface StoredAgent {
  readonly id: string;
  readonly version: number;
  /** The version that the last apply left; null when it was never applied. */
  readonly appliedVersion: number | null;
  readonly state: AgentState;
}

/** @throws FloorwalkerError `business_not_found`, with the slugs there are when it must be said which one */
export async function findBusiness(db: Database, slug: string | undefined): Promise<Business> {
  const query = db.from('businesses').select('id, slug, name').is('deleted_at', null).order('slug').limit(50);
  const found = await read(
    'businesses',
    slug === undefined ? query : query.eq('slug', slug),
    z.array(businessSchema),
  );
  const [only] = found;
  if (only !== undefined && found.length === 1) return only;
  if (only !== undefined) {
    throw new FloorwalkerError('business_not_found', 'There are several businesses.', {
      remedy: `Say which one: --business ${found.map((business) => business.slug).join(' | ')}.`,
    });
  }
  throw new FloorwalkerError(
    'business_not_found',
    slug === undefined ? 'There is no business yet.' : `There is no business "${slug}".`,
    { remedy: 'Make one with `floorwalker business create`.' },
  );
}

export async function listSupervisors(db: Database, businessId: string): Promise<Supervisor[]> {
  const query = db
    .from('users')
    .select('id, email, username, supervisor_type')
    .eq('business_id', businessId)
    .eq('role', 'supervisor')
    .is('deleted_at', null)
    .order('email');
  return read('users', query, z.array(supervisorSchema));
}

const storedSchema = agentRowSchema.extend({
  applied_version: z.number().nullable(),
  deleted_at: z.string().nullable(),
});

/** The agents of a business by slug, those that were deleted left out. */
export async function listAgents(
  db: Database,
  businessId: string,
  supervisors: readonly Supervisor[],
): Promise<Map<string, StoredAgent>> {
  const agents = await read(
    'agents',
    db.from('agents').select('*').eq('business_id', businessId).is('deleted_at', null),
    z.array(storedSchema),
  );
  const ids = agents.map((agent) => agent.id);
  const tools =
    ids.length === 0
      ? []
      : await read(
          'agent_tools',
          db.from('agent_tools').select('*').in('agent_id', ids).order('tool_name'),
          z.array(agentToolRowSchema),
        );
  const emailOf = (id: string | null) => supervisors.find((person) => person.id === id)?.email ?? id;
  return new Map(
    agents.map((agent) => [
      agent.slug,
      {
        id: agent.id,
        version: agent.version,
        appliedVersion: agent.applied_version,
        state: {
          slug: agent.slug,
          name: agent.name,
          agent_type: agent.agent_type,
          language: agent.language,
          public: agent.public,
          max_concurrent_interactions: agent.max_concurrent_interactions,
          greeting: agent.greeting,
          system_prompt: agent.system_prompt,
          model_settings: agent.model_settings,
          voice_settings: agent.voice_settings,
          supervisor: emailOf(agent.supervisor_id) ?? '',
          cover: emailOf(agent.cover_id),
          tools: tools
            .filter((tool) => tool.agent_id === agent.id)
            .map(({ tool_name, requires_permission, tool_config }) => ({
              tool_name,
              requires_permission,
              tool_config: z.record(z.string(), z.unknown()).catch({}).parse(tool_config),
            })),
        },
      },
    ]),
  );
}

const appliedSchema = z.array(
  z.object({ agent_id: z.guid(), version: z.number(), created: z.boolean(), changed: z.boolean() }),
);

export interface AgentToApply {
  readonly wanted: AgentState;
  /** The version that was compared with; null for a new agent. */
  readonly expectedVersion: number | null;
}

/**
 * Writes all agents in one transaction.
 *
 * @throws FloorwalkerError `agent_version_conflict`, `too_many_agents`, `supervisor_invalid`, `cover_invalid`
 */
export function applyAgents(
  db: Database,
  businessId: string,
  agents: readonly AgentToApply[],
  force: boolean,
): Promise<z.output<typeof appliedSchema>> {
  const items = agents.map(({ wanted, expectedVersion }) => ({
    definition: { ...wanted, business_id: businessId },
    expected_version: expectedVersion,
    force,
  }));
  return callFunction(db, 'apply_agents', { p_agents: items }, appliedSchema);
}

type Query = PromiseLike<{
  data: unknown;
  error: Parameters<typeof databaseError>[0] | null;
  status: number;
}>;

async function read<Schema extends z.ZodType>(
  table: string,
  query: Query,
  schema: Schema,
): Promise<z.output<Schema>> {
  const { data, error, status } = await query;
  if (error !== null) throw databaseError(error, status, table);
  return schema.parse(data);
}
