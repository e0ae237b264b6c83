import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, describe, expect, it } from 'vitest';
import {
  type DefinitionProblem,
  formatProblem,
  loadAgentDefinitions,
  parseAgentDefinition,
} from '../../src/definitions/agents.ts';
import { isFloorwalkerError } from '../../src/errors.ts';

const SHIPPED = new URL('../../agents', import.meta.url).pathname;
const VALID = `slug: helper
name: Helper
agent_type: chat
system_prompt: You help customers of {{business_name}}.
model_settings:
  llm_model: gpt-4.1-mini
tools:
  - tool_name: find_order
    tool_config: { transport: stdio, server: orders }
`;
const folders: string[] = [];

afterEach(() => {
  for (const folder of folders.splice(0)) rmSync(folder, { recursive: true });
});

function setup(files: Record<string, string>): string {
  const folder = mkdtempSync(join(tmpdir(), 'agents-'));
  folders.push(folder);
  for (const [name, text] of Object.entries(files)) writeFileSync(join(folder, name), text);
  return folder;
}

function problemsOf(source: string): string[] {
  const result = parseAgentDefinition('a.yaml', source);
  return result.ok ? [] : result.problems.map(formatProblem);
}

describe('the shipped agents', () => {
  it('are valid and show a gated tool, bound identity and both channels', () => {
    const agents = loadAgentDefinitions([SHIPPED]).map(({ agent }) => agent);
    expect(agents.map(({ slug, agent_type }) => [slug, agent_type])).toEqual([
      ['chat-support', 'chat'],
      ['voice-support', 'voice'],
    ]);
    for (const agent of agents) {
      expect(agent.tools.filter((tool) => tool.requires_permission).map((tool) => tool.tool_name)).toEqual([
        'refund_order',
        'cancel_order',
      ]);
      for (const tool of agent.tools) expect(tool.tool_config).toHaveProperty('bind');
    }
  });
});

describe('a definition', () => {
  it('gets defaults for what it leaves out', () => {
    const result = parseAgentDefinition('a.yaml', VALID);
    expect(result).toMatchObject({
      ok: true,
      agent: { language: 'en', public: false, greeting: null, max_concurrent_interactions: 10 },
    });
  });

  it.each([
    ['a missing field', VALID.replace(/name: Helper\n/, ''), /^a\.yaml: name: is missing; write the name/],
    ['a wrong value', VALID.replace('chat', 'fax'), /^a\.yaml:3: agent_type: .*; write chat or voice$/],
    ['an unknown field', `${VALID}colour: red\n`, /^a\.yaml:10: colour: is not a field; remove it/],
    [
      'an unknown field in a tool',
      VALID.replace('tool_config:', 'permission: true\n    tool_config:'),
      /^a\.yaml:9: tools\[0\]\.permission: is not a field/,
    ],
    [
      'an unknown variable',
      VALID.replace('{{business_name}}', '{{shop}}'),
      /^a\.yaml:4: system_prompt: there is no variable \{\{shop\}\}; use one of agent_name, business_name/,
    ],
    ['a broken template', VALID.replace('{{business_name}}', '{{#a}}'), /system_prompt: .*never closed/],
    [
      'a tool name that a model API refuses',
      VALID.replace('find_order', 'find order!'),
      /tools\[0\]\.tool_name: .*; write letters, digits/,
    ],
    [
      'an imitation of a built-in tool',
      VALID.replace('find_order', 'Request-Supervisor'),
      /tools\[0\]\.tool_name: "Request-Supervisor": .*built-in.*; give it another name/,
    ],
    [
      'a tool named twice',
      `${VALID}  - tool_name: find_order\n    tool_config: { transport: stdio, server: orders }\n`,
      /^a\.yaml:10: tools\[1\]\.tool_name: "find_order" is used twice/,
    ],
    [
      'two tools that look alike',
      `${VALID}  - tool_name: Find-Order\n    tool_config: { transport: stdio, server: orders }\n`,
      /tools\[1\]\.tool_name: "Find-Order" looks like "find_order"/,
    ],
    [
      'a misspelt field of a tool configuration',
      VALID.replace('server: orders', 'server: orders, bnid: { phone: customer.phone_number }'),
      /^a\.yaml:9: tools\[0\]\.tool_config: .*bnid/,
    ],
    [
      'an argument bound to something unknown',
      VALID.replace('server: orders', 'server: orders, bind: { phone: customer.shoe_size }'),
      /^a\.yaml:9: tools\[0\]\.tool_config\.bind\.phone: /,
    ],
    [
      'a key in plain text',
      VALID.replace(
        'transport: stdio, server: orders',
        'transport: http, endpoint: "https://shop.example/mcp", headers: { Authorization: Bearer abc }',
      ),
      /headers\.Authorization: has a secret in plain text; write \$\{secret:NAME\}/,
    ],
    ['a voice agent without a voice', VALID.replace('chat', 'voice'), /voice_settings: is missing/],
    ['text that is not YAML', 'slug: [a\nname: b', /^a\.yaml:2: the file: is not YAML/],
    [
      'a field given twice',
      `${VALID}slug: again\n`,
      /^a\.yaml:10: the file: is not YAML: Map keys must be unique/,
    ],
    ['an empty file', '', /the file: .*; write the fields of an agent/],
    ['a number for a prompt', VALID.replace(/system_prompt: .*/, 'system_prompt: 7'), /system_prompt: /],
    [
      'a language that is none',
      `${VALID}language: english please\n`,
      /^a\.yaml:10: language: .*; write a language tag/,
    ],
  ])('with %s is refused with file, field and remedy', (_, source, message) => {
    const found = problemsOf(source);
    expect(found.join('\n')).toMatch(message);
    expect(found).toHaveLength(1);
  });

  it('with several problems reports them all', () => {
    const found = problemsOf(
      VALID.replace('chat', 'fax').replace('name: Helper', 'name: ""').replace('{{b', '{{x'),
    );
    expect(found.map((line) => /^a\.yaml:\d+: (\w+)/.exec(line)?.[1])).toEqual(
      expect.arrayContaining(['agent_type', 'name', 'system_prompt']),
    );
  });
});

describe('several definitions', () => {
  function load(paths: string[]): DefinitionProblem[] {
    try {
      loadAgentDefinitions(paths);
    } catch (error) {
      if (isFloorwalkerError(error, 'definitions_invalid'))
        return error.details.problems as DefinitionProblem[];
      throw error;
    }
    return [];
  }

  it('report the problems of all files together', () => {
    const folder = setup({ 'a.yaml': 'slug: A', 'b.yml': 'slug: B', 'notes.txt': 'ignored' });
    const files = load([folder]).map(({ file }) => file);
    expect(new Set(files)).toEqual(new Set([join(folder, 'a.yaml'), join(folder, 'b.yml')]));
  });

  it('may not share a slug', () => {
    const folder = setup({ 'a.yaml': VALID, 'b.yaml': VALID });
    expect(load([folder])).toEqual([
      expect.objectContaining({
        file: join(folder, 'b.yaml'),
        field: 'slug',
        problem: expect.stringContaining('a.yaml'),
      }),
    ]);
  });

  it('must exist', () => {
    const folder = setup({ 'readme.md': '' });
    expect(load([join(folder, 'gone.yaml')])).toEqual([
      expect.objectContaining({ problem: 'does not exist' }),
    ]);
    expect(load([folder])).toEqual([expect.objectContaining({ problem: 'has no .yaml file in it' })]);
  });
});
