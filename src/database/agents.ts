import { z } from 'zod';
import type { Channel } from '../domain/channel.ts';
import type { Database } from './client.ts';
import { callFunction } from './rpc.ts';

/** An agent as it is applied. Names its business by id or slug, its people by id, e-mail or username. */
export interface AgentDefinition {
  readonly business_id?: string | undefined;
  readonly business_slug?: string | undefined;
  readonly slug: string;
  readonly name: string;
  readonly agent_type: Channel;
  readonly supervisor_id?: string | undefined;
  readonly supervisor?: string | undefined;
  readonly cover_id?: string | null | undefined;
  readonly cover?: string | null | undefined;
  readonly system_prompt: string;
  readonly greeting?: string | null | undefined;
  readonly language?: string | undefined;
  readonly model_settings?: Record<string, unknown> | undefined;
  readonly voice_settings?: Record<string, unknown> | undefined;
  readonly mcp_tools?: unknown;
  readonly public?: boolean | undefined;
  readonly max_concurrent_interactions?: number | undefined;
  /** Exactly these: a tool that is not listed is removed. A tool that says nothing needs permission. */
  readonly tools: readonly {
    readonly tool_name: string;
    readonly tool_config: Record<string, unknown>;
    readonly requires_permission?: boolean | undefined;
  }[];
}

const appliedSchema = z.object({
  agent_id: z.guid(),
  version: z.number(),
  created: z.boolean(),
  changed: z.boolean(),
});

/**
 * Makes or updates an agent and its tools, all or nothing. `expectedVersion` is the version that the editor
 * last saw, null for an agent that should be new; `force` overwrites whatever is there.
 *
 * @throws FloorwalkerError `agent_version_conflict` (details: `version`, `expected_version`),
 * `business_not_found`, `supervisor_invalid`, `cover_invalid`, `too_many_agents`
 */
export function applyAgent(
  db: Database,
  args: { definition: AgentDefinition; expectedVersion?: number | null; force?: boolean },
): Promise<z.output<typeof appliedSchema>> {
  return callFunction(
    db,
    'apply_agent',
    {
      p_definition: args.definition,
      p_expected_version: args.expectedVersion ?? null,
      p_force: args.force ?? false,
    },
    appliedSchema,
  );
}
