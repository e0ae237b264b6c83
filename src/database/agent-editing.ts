import { z } from 'zod';
import type { Database } from './client.ts';
import { callFunction } from './rpc.ts';

/** What a person may edit of an agent; its type, slug and people are not part of it. */
export interface EditedAgent {
  readonly name: string;
  readonly language: string;
  readonly public: boolean;
  readonly max_concurrent_interactions: number;
  readonly greeting: string | null;
  readonly system_prompt: string;
  readonly model_settings: Record<string, unknown>;
  readonly voice_settings: Record<string, unknown>;
  readonly tools: readonly {
    readonly tool_name: string;
    readonly requires_permission: boolean;
    readonly tool_config: Record<string, unknown>;
  }[];
}

const editedSchema = z.object({ version: z.number(), changed: z.boolean() });
type Edited = z.output<typeof editedSchema>;

/**
 * As a signed-in person, for the next interactions. `version` is the one that was edited.
 *
 * @throws FloorwalkerError `agent_not_found`; `version_conflict` (details: `version`, `changed_by_name`, `changed`);
 *   `tool_change_not_allowed`, `inline_command_refused` (details: `tools`)
 */
export function editAgent(
  db: Database,
  args: { agentId: string; version: number; definition: EditedAgent; note?: string | undefined },
): Promise<Edited> {
  const parameters = {
    p_agent_id: args.agentId,
    p_version: args.version,
    p_definition: args.definition,
    p_note: args.note ?? null,
  };
  return callFunction(db, 'edit_agent', parameters, editedSchema);
}

/**
 * A new version with the content of an old one.
 *
 * @throws FloorwalkerError as {@link editAgent}, and `version_not_found`, `channel_mismatch`
 */
export function rollBackAgent(
  db: Database,
  args: { agentId: string; version: number; expectedVersion?: number | undefined },
): Promise<Edited> {
  const parameters = {
    p_agent_id: args.agentId,
    p_version: args.version,
    p_expected_version: args.expectedVersion ?? null,
  };
  return callFunction(db, 'roll_back_agent', parameters, editedSchema);
}
