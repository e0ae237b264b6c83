import { nameProblem } from '../tools/names.ts';
import { readToolConfig, type ToolConfig } from '../tools/tool-config.ts';
import type { FieldProblem, ToolRowDefinition } from './agent-schema.ts';

/** Checks the tools of a definition by the rules that a worker reads them with. */
export function checkTools(tools: readonly ToolRowDefinition[]): FieldProblem[] {
  const problems: FieldProblem[] = [];
  const seen = new Map<string, string>();
  for (const [index, tool] of tools.entries()) {
    const namePath = ['tools', index, 'tool_name'];
    const wrongName = nameProblem(tool.tool_name);
    if (wrongName !== undefined) {
      problems.push({
        path: namePath,
        problem: `"${tool.tool_name}": ${wrongName}`,
        remedy: 'give it another name; every agent has the built-in tools anyway',
      });
    }
    const look = appearance(tool.tool_name);
    const twin = seen.get(look);
    if (twin !== undefined) {
      problems.push({
        path: namePath,
        problem:
          twin === tool.tool_name ? `"${twin}" is used twice` : `"${tool.tool_name}" looks like "${twin}"`,
        remedy: 'give each tool a name of its own',
      });
    }
    seen.set(look, tool.tool_name);
    problems.push(...checkConfig(['tools', index, 'tool_config'], tool.tool_config));
  }
  return problems;
}

function checkConfig(path: (string | number)[], value: unknown): FieldProblem[] {
  const read = readToolConfig(value);
  if (read.ok) return checkSecrets(path, read.config);
  return read.problems.map((problem) => ({
    path: [...path, ...(problem.path === '' ? [] : problem.path.split('.'))],
    problem: problem.message,
  }));
}

const SECRET_HEADER = /^(authorization|proxy-authorization|cookie|.*(api-?key|token|secret).*)$/i;

/** A definition lies in version control; a key in it is a key given away. */
function checkSecrets(path: (string | number)[], config: ToolConfig): FieldProblem[] {
  const headers = 'headers' in config ? (config.headers ?? {}) : {};
  return Object.entries(headers).flatMap(([name, value]) =>
    SECRET_HEADER.test(name) && !value.includes('${secret:')
      ? [
          {
            path: [...path, 'headers', name],
            problem: 'has a secret in plain text',
            remedy: `write \${secret:NAME} and set TOOL_SECRET_NAME and TOOL_SECRET_NAME_HOSTS where workers run`,
          },
        ]
      : [],
  );
}

/** Names that differ in case, hyphens or underscores alone are one name to a model and to an approver. */
function appearance(toolName: string): string {
  return toolName.toLowerCase().replace(/[-_]/g, '');
}
