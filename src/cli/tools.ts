import type { Command } from 'commander';
import { inspectConfig } from '../config.ts';
import { FloorwalkerError } from '../errors.ts';
import type { ToolDefinition } from '../tools/types.ts';
import { type CommandDeps, printLines } from './command-deps.ts';
import { findDatabase } from './database-place.ts';
import { findToolAgent, type ToolAgent, withTools } from './tools/agent.ts';
import { listenForConsent } from './tools/authorize.ts';
import { callByHand } from './tools/call.ts';

interface Options {
  business?: string;
  data: string;
  json?: boolean;
  phone?: string;
}

/** `floorwalker tools list|doctor|call|authorize AGENT`: an agent's tools as a conversation has them. */
export function registerToolsCommand(program: Command, deps: CommandDeps): void {
  const tools = program.command('tools').description("an agent's tools, as a conversation has them");
  const add = (name: string, description: string) =>
    tools
      .command(name)
      .description(description)
      .argument('<agent>', 'slug of the agent')
      .option('--business <slug>', 'whose agent it is; not needed while there is one business')
      .option(
        '--data <folder>',
        "a running demo's data folder, used while no SUPABASE_URL is set",
        '.floorwalker',
      );
  add('list', 'the tools, whether they need permission, and what they take')
    .option('--json', 'with their schemas')
    .action((agent: string, options: Options) => list(agent, options, deps));
  add('doctor', 'whether each server answers, how fast, and which tools can not be used').action(
    (agent: string, options: Options) => doctor(agent, options, deps),
  );
  add('call', 'calls a tool by hand, under the same rules and the same gate')
    .argument('<tool>', 'its name as the model sees it')
    .argument('[arguments]', 'JSON object', '{}')
    .option('--phone <number>', 'the customer it is about, for bound arguments')
    .action((agent: string, tool: string, args: string, options: Options) =>
      call(agent, tool, args, options, deps),
    );
  add(
    'authorize',
    "lets a person authorise an agent's OAuth tools in the browser, and stores the tokens",
  ).action((agent: string, options: Options) => authorize(agent, options, deps));
}

function open(slug: string, options: Options, deps: CommandDeps): Promise<ToolAgent> {
  return findToolAgent(findDatabase(deps, options.data), slug, options.business);
}

async function list(slug: string, options: Options, deps: CommandDeps): Promise<void> {
  const { config } = inspectConfig(deps.env);
  const definitions = await withTools(
    await open(slug, options, deps),
    config.tools,
    {},
    async (catalogue) => catalogue.definitions,
  );
  if (options.json) return printLines(deps, [JSON.stringify(definitions, null, 2)]);
  if (definitions.length === 0) return printLines(deps, ['This agent has no tools of its own.']);
  printLines(deps, definitions.flatMap(describe));
}

function describe(tool: ToolDefinition): string[] {
  const traits = [
    tool.requiresPermission ? 'needs permission' : undefined,
    tool.idempotent ? 'may be retried' : undefined,
    `${tool.timeoutMs / 1_000} s`,
  ].filter((trait) => trait !== undefined);
  const properties = Object.keys((tool.inputSchema.properties as object | undefined) ?? {});
  return [
    `${tool.name}(${properties.join(', ')}): ${traits.join(', ')}`,
    ...(tool.unavailable === undefined ? [] : [`  unavailable: ${tool.unavailable}`]),
    ...(tool.description === '' ? [] : [`  ${tool.description.split('\n')[0] ?? ''}`]),
  ];
}

/** Each row by itself, so that the time is its server's. @throws FloorwalkerError `tool_unavailable` when one fails */
async function doctor(slug: string, options: Options, deps: CommandDeps): Promise<void> {
  const { config } = inspectConfig(deps.env);
  const agent = await open(slug, options, deps);
  let failed = 0;
  for (const row of agent.rows) {
    const startedAtMs = performance.now();
    const definitions = await withTools(
      { ...agent, rows: [row] },
      config.tools,
      {},
      async (catalogue) => catalogue.definitions,
    );
    const ms = Math.round(performance.now() - startedAtMs);
    const broken = definitions.filter(({ unavailable }) => unavailable !== undefined);
    if (broken.length > 0 || definitions.length === 0) failed += 1;
    const problem = broken.map(({ name, unavailable }) => `${name}: ${unavailable}`).join('; ');
    const good = `${definitions.length} ${definitions.length === 1 ? 'tool' : 'tools'}, listed in ${ms} ms`;
    printLines(deps, [
      `${problem === '' && definitions.length > 0 ? '✓' : '✗'} ${row.tool_name}: ${problem || good}`,
    ]);
  }
  if (failed > 0)
    throw new FloorwalkerError(
      'tool_unavailable',
      `${failed} of ${agent.rows.length} rows can not be used as they are.`,
      {
        remedy: 'Check tool_config, TOOL_SERVERS and the servers that are named.',
      },
    );
}

async function call(
  slug: string,
  tool: string,
  args: string,
  options: Options,
  deps: CommandDeps,
): Promise<void> {
  const { config } = inspectConfig(deps.env);
  const agent = await open(slug, options, deps);
  const outcome = await callByHand(agent, config.tools, config.figures, {
    toolName: tool,
    rawArguments: args,
    phoneNumber: options.phone,
    onWaiting: (id) =>
      printLines(deps, [
        `Waits for the agent's supervisor (permission ${id}); decide it in the console or with "floorwalker supervise".`,
      ]),
  });
  const why = outcome.reason === undefined ? '' : ` (${outcome.reason})`;
  printLines(deps, [`${outcome.status}${why} after ${outcome.durationMs} ms`, outcome.output]);
}

async function authorize(slug: string, options: Options, deps: CommandDeps): Promise<void> {
  const { config } = inspectConfig(deps.env);
  if (config.tools.tokenKeys().length === 0)
    throw new FloorwalkerError(
      'config_invalid',
      'TOOL_TOKEN_KEY is not set, so that tokens can not be stored.',
      {
        remedy: 'Set it to a long random value, the same for all workers.',
      },
    );
  const agent = await open(slug, options, deps);
  const consent = await listenForConsent((url) =>
    printLines(deps, ['Open this address in a browser on this machine:', url.href]),
  );
  try {
    const definitions = await withTools(
      agent,
      config.tools,
      { authorisation: consent },
      async (catalogue) => catalogue.definitions,
    );
    printLines(deps, definitions.flatMap(describe));
    const missing = definitions.filter(({ unavailable }) => unavailable !== undefined);
    if (missing.length > 0)
      throw new FloorwalkerError('tool_unavailable', `${missing.length} tools can not be used as they are.`);
  } finally {
    await consent.close();
  }
}
