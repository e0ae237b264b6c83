import { isDeepStrictEqual } from 'node:util';
import { diffLines, foldUnchanged } from '../domain/line-diff.ts';
import type { AgentDefinition } from './agent-schema.ts';

/** The part of an agent that a definition decides; the same names as in the tables. */
export interface AgentState {
  slug: string;
  name: string;
  agent_type: 'voice' | 'chat';
  language: string;
  public: boolean;
  max_concurrent_interactions: number;
  greeting: string | null;
  system_prompt: string;
  model_settings: Record<string, unknown>;
  voice_settings: Record<string, unknown>;
  supervisor: string;
  cover: string | null;
  tools: ToolState[];
}

export interface ToolState {
  tool_name: string;
  requires_permission: boolean;
  tool_config: Record<string, unknown>;
}

export interface AgentDifference {
  readonly kind: 'new' | 'changed' | 'same';
  readonly fields: readonly { field: string; from: unknown; to: unknown }[];
  readonly toolsAdded: readonly ToolState[];
  readonly toolsRemoved: readonly ToolState[];
  readonly toolsChanged: readonly { from: ToolState; to: ToolState }[];
}

const FIELDS = [
  'name',
  'agent_type',
  'language',
  'public',
  'max_concurrent_interactions',
  'supervisor',
  'cover',
  'greeting',
  'system_prompt',
] as const;
const SETTINGS = ['model_settings', 'voice_settings'] as const;

/** What an agent is once `definition` is applied, under the given people. */
export function wantedState(
  definition: AgentDefinition,
  people: { supervisor: string; cover: string | null },
): AgentState {
  return {
    ...definition,
    voice_settings: definition.voice_settings ?? {},
    tools: definition.tools.map((tool) => ({ ...tool })),
    ...people,
  };
}

export function diffAgent(current: AgentState | null, wanted: AgentState): AgentDifference {
  if (current === null) {
    return { kind: 'new', fields: [], toolsAdded: wanted.tools, toolsRemoved: [], toolsChanged: [] };
  }
  const fields: { field: string; from: unknown; to: unknown }[] = [];
  for (const field of FIELDS) {
    if (current[field] !== wanted[field]) fields.push({ field, from: current[field], to: wanted[field] });
  }
  for (const group of SETTINGS) {
    const keys = new Set([...Object.keys(current[group]), ...Object.keys(wanted[group])]);
    for (const key of keys) {
      const [from, to] = [current[group][key], wanted[group][key]];
      if (!isDeepStrictEqual(from, to)) fields.push({ field: `${group}.${key}`, from, to });
    }
  }
  const now = new Map(current.tools.map((tool) => [tool.tool_name, tool]));
  const then = new Map(wanted.tools.map((tool) => [tool.tool_name, tool]));
  const toolsChanged = wanted.tools.flatMap((to) => {
    const from = now.get(to.tool_name);
    return from === undefined || isDeepStrictEqual(pick(from), pick(to)) ? [] : [{ from, to }];
  });
  const difference = {
    fields,
    toolsAdded: wanted.tools.filter((tool) => !now.has(tool.tool_name)),
    toolsRemoved: current.tools.filter((tool) => !then.has(tool.tool_name)),
    toolsChanged,
  };
  const changes =
    fields.length + difference.toolsAdded.length + difference.toolsRemoved.length + toolsChanged.length;
  return { kind: changes === 0 ? 'same' : 'changed', ...difference };
}

/** The difference in lines for a person: `+` new, `-` gone, `~` changed. */
export function formatDifference(wanted: AgentState, difference: AgentDifference): string[] {
  const title = `agent ${wanted.slug} (${wanted.agent_type})`;
  if (difference.kind === 'same') return [`= ${title}: no change`];
  const lines = [`${difference.kind === 'new' ? '+' : '~'} ${title}`];
  if (difference.kind === 'new') {
    lines.push(`    name ${show(wanted.name)}, supervisor ${wanted.supervisor}`);
    lines.push(
      `    model ${show(wanted.model_settings.llm_model)}, ${wanted.public ? 'public' : 'not public'}`,
    );
  }
  for (const { field, from, to } of difference.fields) lines.push(...formatField(field, from, to));
  for (const tool of difference.toolsAdded) lines.push(`  + tool ${tool.tool_name}${gateNote(tool)}`);
  for (const tool of difference.toolsRemoved) lines.push(`  - tool ${tool.tool_name}${gateNote(tool)}`);
  for (const { from, to } of difference.toolsChanged) {
    lines.push(`  ~ tool ${to.tool_name}`);
    if (from.requires_permission !== to.requires_permission) {
      // The one change that lets an agent do more than before without anybody looking on.
      const warning = to.requires_permission ? '' : '   (the gate is removed)';
      lines.push(
        `      requires_permission: ${from.requires_permission} → ${to.requires_permission}${warning}`,
      );
    }
    const keys = new Set([...Object.keys(from.tool_config), ...Object.keys(to.tool_config)]);
    for (const key of keys) {
      if (isDeepStrictEqual(from.tool_config[key], to.tool_config[key])) continue;
      lines.push(`      tool_config.${key}: ${show(from.tool_config[key])} → ${show(to.tool_config[key])}`);
    }
  }
  return lines;
}

function formatField(field: string, from: unknown, to: unknown): string[] {
  const long =
    typeof from === 'string' && typeof to === 'string' && (from.includes('\n') || to.includes('\n'));
  if (!long) return [`  ~ ${field}: ${show(from)} → ${show(to)}`];
  const lines = foldUnchanged(diffLines(from, to), 1);
  return [`  ~ ${field}:`, ...lines.map(({ mark, text }) => `      ${mark} ${text}`)];
}

function gateNote(tool: ToolState): string {
  return tool.requires_permission ? ' (needs permission)' : '';
}

function pick(tool: ToolState): ToolState {
  const { tool_name, requires_permission, tool_config } = tool;
  return { tool_name, requires_permission, tool_config };
}

function show(value: unknown): string {
  return value === undefined || value === null ? 'none' : JSON.stringify(value);
}
