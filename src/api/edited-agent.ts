import { isDeepStrictEqual } from 'node:util';
import type { EditedAgent } from '../database/agent-editing.ts';
import { type FieldProblem, fieldName, remedyFor } from '../definitions/agent-schema.ts';
import { checkAgentDefinition } from '../definitions/agents.ts';
import { FloorwalkerError } from '../errors.ts';
import type { AgentDetail, AgentEdit } from './agent-schemas.ts';

/**
 * Checks what the console's form sends by the rules of `floorwalker agents apply`. Tools that stay as they are stay
 * unexamined, so that a greeting can be mended while a tool of an older form is still there.
 *
 * @throws FloorwalkerError `definitions_invalid` with `details.problems`, one a field
 */
export function checkEdit(current: AgentDetail, wanted: AgentEdit): EditedAgent {
  const isUnchanged = (index: number) =>
    current.tools.some((tool) => isDeepStrictEqual(tool, wanted.tools[index]));
  const { voice_settings, ...rest } = wanted;
  const form = {
    ...rest,
    slug: current.slug,
    agent_type: current.agent_type,
    ...(Object.keys(voice_settings).length === 0 ? {} : { voice_settings }),
  };
  const checked = checkAgentDefinition({ ...form, tools: [] });
  const tools = checkAgentDefinition(form);
  const problems = [
    ...(checked.ok ? [] : checked.problems),
    ...(tools.ok ? [] : tools.problems.filter((problem) => isOfChangedTool(problem, isUnchanged))),
  ];
  if (!checked.ok || problems.length > 0) throw refused(problems);
  const { agent } = checked;
  return {
    name: agent.name,
    language: agent.language,
    public: agent.public,
    max_concurrent_interactions: agent.max_concurrent_interactions,
    greeting: agent.greeting,
    system_prompt: agent.system_prompt,
    model_settings: agent.model_settings,
    voice_settings: agent.voice_settings ?? {},
    tools: wanted.tools,
  };
}

/** A name can clash with that of a tool that stays, so names are always examined. */
function isOfChangedTool({ path }: FieldProblem, isUnchanged: (index: number) => boolean): boolean {
  const [field, index, part] = path;
  return field === 'tools' && (typeof index !== 'number' || part === 'tool_name' || !isUnchanged(index));
}

function refused(found: readonly FieldProblem[]): FloorwalkerError {
  const problems = found.map(({ path, problem, remedy }) => ({
    field: fieldName(path),
    problem,
    remedy: remedy ?? remedyFor(path),
  }));
  const detail = problems.map((one) => `${one.field}: ${one.problem}; ${one.remedy}`).join('\n');
  return new FloorwalkerError('definitions_invalid', detail, {
    remedy: 'Correct the fields that are listed; nothing was changed.',
    details: { problems },
  });
}
