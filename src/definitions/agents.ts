import { readdirSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { type Document, isNode, LineCounter, parseDocument } from 'yaml';
import type { z } from 'zod';
import { FloorwalkerError } from '../errors.ts';
import {
  type AgentDefinition,
  agentSchema,
  type FieldPath,
  type FieldProblem,
  fieldName,
  remedyFor,
} from './agent-schema.ts';
import { checkTools } from './agent-tools.ts';
import { AGENT_VARIABLES } from './opening.ts';
import { parseTemplate } from './template.ts';

export type { AgentDefinition, ToolRowDefinition } from './agent-schema.ts';

/** One thing that is wrong with a definition, said so that its author finds the place and what to do. */
export interface DefinitionProblem {
  readonly file: string;
  readonly line?: number;
  readonly field: string;
  readonly problem: string;
  readonly remedy: string;
}

export interface LoadedDefinition {
  readonly file: string;
  readonly agent: AgentDefinition;
}

/**
 * Reads agent definitions from files and folders (every `.yaml` and `.yml` in them).
 *
 * @throws FloorwalkerError `definitions_invalid` with `details.problems` (a {@link DefinitionProblem} each), all
 *   problems of all files together.
 */
export function loadAgentDefinitions(paths: readonly string[]): LoadedDefinition[] {
  const problems: DefinitionProblem[] = [];
  const loaded: LoadedDefinition[] = [];
  for (const file of expandPaths(paths, problems)) {
    const result = parseAgentDefinition(file, readFileSync(file, 'utf8'));
    if (result.ok) loaded.push({ file, agent: result.agent });
    else problems.push(...result.problems);
  }
  const seen = new Map<string, string>();
  for (const { file, agent } of loaded) {
    const other = seen.get(agent.slug);
    seen.set(agent.slug, file);
    if (other === undefined) continue;
    problems.push({
      file,
      field: 'slug',
      problem: `"${agent.slug}" is the slug of ${other} too`,
      remedy: 'give each agent a slug of its own',
    });
  }
  refuseProblems(problems);
  return loaded;
}

export function parseAgentDefinition(
  file: string,
  source: string,
): { ok: true; agent: AgentDefinition } | { ok: false; problems: DefinitionProblem[] } {
  const lines = new LineCounter();
  const document = parseDocument(source, { lineCounter: lines, prettyErrors: false });
  if (document.errors.length > 0) {
    const problems = document.errors.map((error) => ({
      file,
      line: lines.linePos(error.pos[0]).line,
      field: 'the file',
      problem: `is not YAML: ${error.message}`,
      remedy: 'check indentation and quotes; text with ": " or "#" in it needs quotes',
    }));
    return { ok: false, problems };
  }
  const locate = (found: FieldProblem): DefinitionProblem => {
    const line = lineOf(document, lines, found.path);
    return {
      file,
      ...(line === undefined ? {} : { line }),
      field: fieldName(found.path),
      problem: found.problem,
      remedy: found.remedy ?? remedyFor(found.path),
    };
  };
  const checked = checkAgentDefinition(document.toJS());
  return checked.ok ? checked : { ok: false, problems: checked.problems.map(locate) };
}

/** All that makes a definition usable, wherever it comes from: a file, or the console's form. */
export function checkAgentDefinition(
  value: unknown,
): { ok: true; agent: AgentDefinition } | { ok: false; problems: FieldProblem[] } {
  const parsed = agentSchema.safeParse(value, { reportInput: true });
  const problems = parsed.success
    ? checkAgent(parsed.data)
    : [...parsed.error.issues.flatMap(describeIssue), ...checkTexts(value)];
  if (!parsed.success || problems.length > 0) return { ok: false, problems };
  return { ok: true, agent: parsed.data };
}

/** `agents/a.yaml:12: tools[0].tool_name: is used twice; give each tool a name of its own` */
export function formatProblem({ file, line, field, problem, remedy }: DefinitionProblem): string {
  return `${file}${line === undefined ? '' : `:${line}`}: ${field}: ${problem}; ${remedy}`;
}

function checkAgent(agent: AgentDefinition): FieldProblem[] {
  const problems = [...checkTexts(agent), ...checkTools(agent.tools)];
  if (agent.agent_type === 'voice' && agent.voice_settings === undefined) {
    problems.push({ path: ['voice_settings'], problem: 'is missing, and the agent speaks' });
  }
  if (agent.agent_type === 'chat' && agent.voice_settings !== undefined) {
    problems.push({
      path: ['voice_settings'],
      problem: 'has no effect on a chat agent',
      remedy: 'remove it',
    });
  }
  return problems;
}

/** The templates of a definition, checked also when other fields don't fit, so that all is reported in one go. */
function checkTexts(value: unknown): FieldProblem[] {
  const problems: FieldProblem[] = [];
  if (typeof value !== 'object' || value === null) return problems;
  for (const [field, text] of Object.entries(value)) {
    if ((field !== 'greeting' && field !== 'system_prompt') || typeof text !== 'string') continue;
    const parsed = parseTemplate(text);
    if (!parsed.ok) {
      for (const problem of parsed.problems) {
        problems.push({ path: [field], problem, remedy: 'write {{name}}, or {{#name}} … {{/name}}' });
      }
      continue;
    }
    const known: readonly string[] = AGENT_VARIABLES;
    for (const name of parsed.template.variables.filter((variable) => !known.includes(variable))) {
      problems.push({
        path: [field],
        problem: `there is no variable {{${name}}}`,
        remedy: `use one of ${known.join(', ')}`,
      });
    }
  }
  return problems;
}

function describeIssue(issue: z.core.$ZodIssue): FieldProblem[] {
  const path = issue.path.filter((part) => typeof part !== 'symbol');
  if (issue.code === 'unrecognized_keys') {
    return issue.keys.map((key) => ({
      path: [...path, key],
      problem: 'is not a field',
      remedy: 'remove it or correct its name',
    }));
  }
  if (issue.code === 'invalid_type' && issue.input === undefined) return [{ path, problem: 'is missing' }];
  return [{ path, problem: `does not fit (${issue.message})` }];
}

/** The line of a field, or of the nearest thing around it that the file has. */
function lineOf(document: Document, lines: LineCounter, path: FieldPath): number | undefined {
  for (let length = path.length; length > 0; length -= 1) {
    const node: unknown = document.getIn(path.slice(0, length), true);
    if (isNode(node) && node.range) return lines.linePos(node.range[0]).line;
  }
  return undefined;
}

function expandPaths(paths: readonly string[], problems: DefinitionProblem[]): string[] {
  return paths.flatMap((path) => {
    const stat = statSync(path, { throwIfNoEntry: false });
    if (stat?.isFile()) return [path];
    const files = stat?.isDirectory()
      ? readdirSync(path)
          .filter((name) => /\.ya?ml$/.test(name))
          .sort()
          .map((name) => join(path, name))
      : [];
    if (files.length === 0) {
      const problem = stat === undefined ? 'does not exist' : 'has no .yaml file in it';
      problems.push({
        file: path,
        field: 'the path',
        problem,
        remedy: 'name a definition or a folder of them',
      });
    }
    return files;
  });
}

function refuseProblems(problems: readonly DefinitionProblem[]): void {
  if (problems.length === 0) return;
  throw new FloorwalkerError('definitions_invalid', problems.map(formatProblem).join('\n'), {
    details: { problems },
  });
}
