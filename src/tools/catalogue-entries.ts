import { canonicalHash } from './canonical-hash.ts';
import {
  type CompiledSchema,
  type InputSchemas,
  missingArguments,
  withoutArguments,
} from './input-schema.ts';
import { expandedName, nameProblem } from './names.ts';
import type { ServerConnection } from './server-connection.ts';
import type { ServerTool } from './server-list.ts';
import type { McpToolConfig, RestToolConfig, ToolConfig } from './tool-config.ts';
import type { AgentToolRow, JsonSchema, ToolDefinition } from './types.ts';

/** OpenAI takes at most 128 functions; the runtime needs a few for itself. */
const MAX_TOOLS = 120;
const MAX_DESCRIPTION_CHARS = 1_024;
const ANY_ARGUMENTS: JsonSchema = { type: 'object', properties: {}, additionalProperties: true };

/** A row that could be read, and where its tool is. */
export type ToolSource =
  | { readonly kind: 'rest'; readonly row: AgentToolRow; readonly config: RestToolConfig }
  | {
      readonly kind: 'mcp';
      readonly row: AgentToolRow;
      readonly config: McpToolConfig;
      readonly connection: ServerConnection;
    }
  | { readonly kind: 'broken'; readonly row: AgentToolRow; readonly problem: string };

/** What a server listed, or why it could not. */
export type ServerList = { readonly tools: readonly ServerTool[] } | { readonly reason: string };

export interface CatalogueEntry {
  readonly definition: ToolDefinition;
  readonly source: ToolSource;
  /** The tool's name on its server. */
  readonly serverName: string;
  /** The server's whole schema, bound arguments included. */
  readonly schema: CompiledSchema | undefined;
  readonly readOnly: boolean;
}

export interface EntryProblem {
  readonly tool: string;
  readonly problem: string;
}

/** What was made of a candidate last time: hashing all tools of all conversations anew blocks everybody's calls. */
export type KnownEntries = ReadonlyMap<
  string,
  { readonly candidate: Candidate; readonly entry: CatalogueEntry }
>;

export interface BuiltEntries {
  readonly entries: Map<string, CatalogueEntry>;
  readonly known: KnownEntries;
  readonly problems: EntryProblem[];
}

interface Candidate {
  readonly name: string;
  readonly source: ToolSource;
  readonly serverTool?: ServerTool | undefined;
  readonly unavailable?: string | undefined;
  readonly gated: boolean;
  readonly mustAsk?: boolean | undefined;
}

/**
 * All tools of an agent from its rows and its servers' lists. Rows of their own come first, so that they win
 * over a row that stands for all tools of a server. A name is given once.
 */
export function buildEntries(
  sources: readonly ToolSource[],
  lists: ReadonlyMap<ServerConnection, ServerList>,
  schemas: InputSchemas,
  defaultTimeoutMs: number,
  before: KnownEntries,
): BuiltEntries {
  const entries = new Map<string, CatalogueEntry>();
  const known = new Map<string, { candidate: Candidate; entry: CatalogueEntry }>();
  const problems: EntryProblem[] = [];
  const single = sources.filter((source) => !isExpanding(source));
  const candidates = [
    ...single.map((source) => singleCandidate(source, lists)),
    ...sources.filter(isExpanding).flatMap((source) => expandedCandidates(source, lists, single)),
  ];
  for (const candidate of candidates) {
    const problem = entries.has(candidate.name)
      ? 'another tool of the agent has this name already'
      : (nameProblem(candidate.name) ??
        (entries.size >= MAX_TOOLS ? `an agent has at most ${MAX_TOOLS} tools` : undefined));
    if (problem !== undefined) {
      problems.push({ tool: candidate.name, problem: `${problem}; it is left out` });
      continue;
    }
    const last = before.get(candidate.name);
    const entry =
      last !== undefined && isSame(last.candidate, candidate)
        ? last.entry
        : toEntry(candidate, schemas, defaultTimeoutMs);
    entries.set(candidate.name, entry);
    known.set(candidate.name, { candidate, entry });
    if (entry.schema?.ok === false) problems.push({ tool: candidate.name, problem: entry.schema.problem });
    else if (candidate.source.kind === 'broken')
      problems.push({ tool: candidate.name, problem: candidate.source.problem });
    else if (candidate.unavailable === undefined && entry.definition.unavailable !== undefined) {
      problems.push({ tool: candidate.name, problem: entry.definition.unavailable });
    }
  }
  return { entries, known, problems };
}

/** Sources and listed tools are compared as objects: an edit or a new list brings new ones. */
function isSame(one: Candidate, other: Candidate): boolean {
  return (
    one.source === other.source &&
    one.serverTool === other.serverTool &&
    one.unavailable === other.unavailable &&
    one.gated === other.gated &&
    one.mustAsk === other.mustAsk
  );
}

type Expanding = Extract<ToolSource, { kind: 'mcp' }>;

function isExpanding(source: ToolSource): source is Expanding {
  return source.kind === 'mcp' && source.config.expand === true;
}

function singleCandidate(source: ToolSource, lists: ReadonlyMap<ServerConnection, ServerList>): Candidate {
  const { row } = source;
  const candidate = { name: row.tool_name, source, gated: row.requires_permission };
  if (source.kind === 'broken') return { ...candidate, unavailable: 'it is not set up correctly' };
  if (source.kind === 'rest') return candidate;
  const list = lists.get(source.connection);
  if (list === undefined || 'reason' in list)
    return { ...candidate, unavailable: list?.reason ?? 'its server was not asked yet' };
  const wanted = source.config.tool ?? row.tool_name;
  const serverTool = list.tools.find((tool) => tool.name === wanted);
  return serverTool === undefined
    ? { ...candidate, unavailable: 'its server does not offer it' }
    : // A server's word on its own tool can close a gate, never open one.
      {
        ...candidate,
        serverTool,
        gated: candidate.gated || serverTool.annotations?.destructiveHint === true,
      };
}

function expandedCandidates(
  source: Expanding,
  lists: ReadonlyMap<ServerConnection, ServerList>,
  single: readonly ToolSource[],
): Candidate[] {
  const { row, config, connection } = source;
  const list = lists.get(connection);
  if (list === undefined || 'reason' in list) {
    return [
      {
        name: row.tool_name,
        source,
        gated: true,
        unavailable: list?.reason ?? 'its server was not asked yet',
      },
    ];
  }
  const ownRows = new Set(
    single.flatMap((other) =>
      other.kind === 'mcp' && other.connection === connection
        ? [other.config.tool ?? other.row.tool_name]
        : [],
    ),
  );
  const known = new Set(config.known_tools ?? []);
  return list.tools
    .filter((tool) => !ownRows.has(tool.name))
    .map((serverTool) => ({
      name: expandedName(row.tool_name, serverTool.name),
      source,
      serverTool,
      // Nobody has seen a tool that came later, and what says of itself that it destroys is asked for.
      gated:
        row.requires_permission ||
        !known.has(serverTool.name) ||
        serverTool.annotations?.destructiveHint === true,
      mustAsk: !known.has(serverTool.name) || serverTool.annotations?.destructiveHint === true,
    }))
    .filter(({ name }) => !single.some((other) => other.row.tool_name === name));
}

function toEntry(candidate: Candidate, schemas: InputSchemas, defaultTimeoutMs: number): CatalogueEntry {
  const { name, source, serverTool } = candidate;
  const config: ToolConfig | undefined =
    source.kind === 'broken' ? undefined : ({ kind: source.kind, ...source.config } as ToolConfig);
  const fullSchema =
    source.kind === 'rest' ? (source.config.input_schema ?? ANY_ARGUMENTS) : serverTool?.inputSchema;
  const schema = fullSchema === undefined ? undefined : schemas.compile(fullSchema);
  const hidden = Object.keys(config?.bind ?? {});
  const usable = fullSchema !== undefined && schema?.ok === true;
  const unbindable = usable && source.kind !== 'rest' ? missingArguments(fullSchema, hidden) : [];
  const unavailable =
    candidate.unavailable ??
    (schema?.ok === false ? 'its server describes it in an unusable way' : undefined) ??
    (unbindable.length > 0
      ? `it is bound to arguments that it does not have (${unbindable.join(', ')})`
      : undefined);
  const method = source.kind === 'rest' ? source.config.method : undefined;
  const readOnly = method === 'GET' || serverTool?.annotations?.readOnlyHint === true;
  const idempotent =
    config?.idempotent ??
    (readOnly || method === 'PUT' || method === 'DELETE' || serverTool?.annotations?.idempotentHint === true);
  const description = config?.description ?? serverTool?.description ?? '';
  return {
    source,
    serverName: serverTool?.name ?? config?.tool ?? name,
    schema,
    readOnly,
    definition: {
      name,
      description: description.slice(0, MAX_DESCRIPTION_CHARS).toWellFormed(),
      inputSchema: usable ? withoutArguments(fullSchema, hidden) : ANY_ARGUMENTS,
      requiresPermission: candidate.gated,
      rowName: source.row.tool_name === name ? undefined : source.row.tool_name,
      mustAsk: candidate.mustAsk ?? false,
      definitionHash: canonicalHash({
        name,
        gated: candidate.gated,
        config: source.row.tool_config ?? null,
        tool: serverTool ?? null,
      }),
      unavailable,
      idempotent,
      timeoutMs: config?.params?.timeout === undefined ? defaultTimeoutMs : config.params.timeout * 1_000,
    },
  };
}
