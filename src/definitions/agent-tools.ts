import type { FieldProblem, ToolRowDefinition } from './agent-schema.ts';

/** The tools that every agent has; no row may take their names or look like one of them. */
export const BUILT_IN_TOOLS = ['record_phone_number', 'request_supervisor', 'end_interaction'] as const;

export function checkTools(tools: readonly ToolRowDefinition[]): FieldProblem[] {
  const problems: FieldProblem[] = [];
  const seen = new Map<string, string>();
  for (const [index, tool] of tools.entries()) {
    const path = ['tools', index, 'tool_name'];
    const look = appearance(tool.tool_name);
    const builtIn = BUILT_IN_TOOLS.find((name) => appearance(name) === look);
    if (builtIn !== undefined) {
      problems.push({
        path,
        problem: `"${tool.tool_name}" imitates the built-in tool ${builtIn}`,
        remedy: 'give it another name; every agent has the built-in tool anyway',
      });
    }
    const twin = seen.get(look);
    if (twin !== undefined) {
      problems.push({
        path,
        problem:
          twin === tool.tool_name ? `"${twin}" is used twice` : `"${tool.tool_name}" looks like "${twin}"`,
        remedy: 'give each tool a name of its own',
      });
    }
    seen.set(look, tool.tool_name);
  }
  return problems;
}

/** Names that differ in case, hyphens or underscores alone are one name to a model and to an approver. */
function appearance(toolName: string): string {
  return toolName.toLowerCase().replace(/[-_]/g, '');
}
