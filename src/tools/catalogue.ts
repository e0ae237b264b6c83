import { isFloorwalkerError } from '../errors.ts';
import type { Log } from '../log.ts';
import { readBoundArguments } from './bound-arguments.ts';
import { describeError, readFailure } from './call-failure.ts';
import {
  buildEntries,
  type CatalogueEntry,
  type KnownEntries,
  type ServerList,
  type ToolSource,
} from './catalogue-entries.ts';
import * as text from './outcome-text.ts';
import { endpointUrl, serverAddress } from './server-address.ts';
import type { ServerConnection } from './server-connection.ts';
import { type ServerLease, ServerPool } from './server-pool.ts';
import { readToolConfig } from './tool-config.ts';
import { runTool } from './tool-run.ts';
import type {
  AgentToolRow,
  BoundIdentity,
  CallHost,
  JsonObject,
  PreparedCall,
  ToolCallContext,
  ToolCallResult,
  ToolCatalogue,
  ToolDefinition,
  ToolStep,
  ToolsConfig,
} from './types.ts';

const CONNECT_TIMEOUT_MS = 5_000;
/** Nobody waits for a list that a server announced itself. */
const REFRESH_TIMEOUT_MS = 30_000;

export interface CatalogueDeps {
  readonly config: ToolsConfig;
  readonly identity: BoundIdentity;
  readonly log: Log;
  readonly onStep: (step: ToolStep) => void;
  /** The connections that the interactions of a process share; without it the catalogue has its own. */
  readonly pool?: ServerPool | undefined;
  /** What the conversation can do for a server while it runs a call. */
  readonly host?: CallHost | undefined;
  /** How long joining waits for a server to list its tools; later calls try again. */
  readonly connectTimeoutMs?: number;
}

/**
 * Opens the tools of one interaction. Resolves in any case: a row that can't be read and a server that can't
 * be reached become tools that say why they are unavailable, a log line and a trace step.
 */
export async function openCatalogue(
  rows: readonly AgentToolRow[],
  deps: CatalogueDeps,
): Promise<ToolCatalogue> {
  const catalogue = new ConnectedCatalogue(rows, deps);
  await catalogue.listAll();
  return catalogue;
}

class ConnectedCatalogue implements ToolCatalogue {
  readonly #deps: CatalogueDeps;
  readonly #log: Log;
  readonly #pool: ServerPool;
  readonly #ownsPool: boolean;
  readonly #leases = new Map<string, ServerLease>();
  readonly #lists = new Map<ServerConnection, ServerList>();
  readonly #listeners = new Set<() => void>();
  readonly #closing = new AbortController();
  readonly #told = new Set<string>();
  readonly #down = new Set<ServerConnection>();
  #sources: ToolSource[] = [];
  #entries = new Map<string, CatalogueEntry>();
  #known: KnownEntries = new Map();

  constructor(rows: readonly AgentToolRow[], deps: CatalogueDeps) {
    this.#deps = deps;
    this.#log = deps.log.child({ interactionId: deps.identity.interactionId });
    this.#ownsPool = deps.pool === undefined;
    this.#pool = deps.pool ?? new ServerPool({ config: deps.config, log: this.#log });
    this.#sources = rows.map((row) => this.#source(row));
  }

  get #connectTimeoutMs(): number {
    return this.#deps.connectTimeoutMs ?? CONNECT_TIMEOUT_MS;
  }

  get definitions(): ToolDefinition[] {
    return [...this.#entries.values()].map(({ definition }) => definition);
  }

  definition(name: string): ToolDefinition | undefined {
    return this.#entries.get(name)?.definition;
  }

  onChanged(listener: () => void): void {
    this.#listeners.add(listener);
  }

  async listAll(): Promise<void> {
    const connections = [...this.#leases.values()].map((lease) => lease.connection);
    await Promise.all(connections.map((connection) => this.#list(connection, this.#closing.signal)));
    this.#rebuild();
  }

  async update(rows: readonly AgentToolRow[]): Promise<void> {
    if (this.#closing.signal.aborted) return;
    const before = new Map(this.#leases);
    this.#leases.clear();
    // Leases that are still wanted are taken over by their key; the rest is given back afterwards.
    this.#sources = rows.map((row) => this.#source(row, before));
    for (const [key, lease] of before) {
      if (this.#leases.has(key)) continue;
      this.#lists.delete(lease.connection);
      lease.release();
    }
    // A gate that was closed counts at once, whatever a slow new server takes to list its tools.
    this.#rebuild();
    const unknown = [...this.#leases.values()].filter(({ connection }) => !this.#lists.has(connection));
    await Promise.all(unknown.map(({ connection }) => this.#list(connection, this.#closing.signal)));
    this.#rebuild();
  }

  async prepare(
    name: string,
    args: unknown,
    options: { bound?: JsonObject; signal?: AbortSignal } = {},
  ): Promise<PreparedCall> {
    let entry = this.#entries.get(name);
    if (entry === undefined) {
      return { ok: false, cause: 'unknown_tool', message: text.unknownToolText([...this.#entries.keys()]) };
    }
    if (entry.definition.unavailable !== undefined && entry.source.kind === 'mcp') {
      await this.#list(entry.source.connection, options.signal ?? this.#closing.signal);
      this.#rebuild();
      entry = this.#entries.get(name);
    }
    if (entry === undefined) {
      return { ok: false, cause: 'unavailable', message: text.unknownToolText([...this.#entries.keys()]) };
    }
    const { unavailable } = entry.definition;
    if (unavailable !== undefined || entry.schema?.ok !== true) {
      return {
        ok: false,
        cause: 'unavailable',
        message: text.unavailableText(unavailable ?? 'it is not set up'),
      };
    }
    return this.#check(entry, entry.schema.check, args, options.bound);
  }

  async call(name: string, args: JsonObject, context: ToolCallContext): Promise<ToolCallResult> {
    const entry = this.#entries.get(name);
    if (entry === undefined || this.#closing.signal.aborted) {
      const output = text.unavailableText('it is gone');
      return { status: 'failed', output, isError: true, full: { error: 'gone' } };
    }
    return runTool(entry, args, context, {
      secrets: this.#pool.secrets,
      http: this.#pool.http,
      lines: this.#pool.lines,
      interactionId: this.#deps.identity.interactionId,
      host: this.#deps.host,
      maxResultChars: this.#deps.config.maxResultChars,
      closing: this.#closing.signal,
    });
  }

  async close(): Promise<void> {
    this.#closing.abort(new Error('The catalogue is closed'));
    this.#listeners.clear();
    for (const lease of this.#leases.values()) lease.release();
    this.#leases.clear();
    if (this.#ownsPool) await this.#pool.close();
  }

  #check(
    entry: CatalogueEntry,
    check: (args: JsonObject) => string | undefined,
    args: unknown,
    bound: JsonObject | undefined,
  ): PreparedCall {
    if (typeof args !== 'object' || args === null || Array.isArray(args)) {
      return {
        ok: false,
        cause: 'invalid_arguments',
        message: text.unreadableArgumentsText('another kind of value'),
      };
    }
    const config = entry.source.kind === 'broken' ? undefined : entry.source.config;
    const sources = config?.bind ?? {};
    const given = args as JsonObject;
    let values: JsonObject = {};
    if (bound === undefined) {
      const read = readBoundArguments(
        { sources, requireVerified: config?.require_verified ?? true },
        this.#deps.identity,
      );
      if (!read.ok) return { ok: false, cause: 'identity', message: text.identityText(read.message) };
      values = read.values;
    } else {
      // An approver may change what is done, not for whom it is done.
      for (const name of Object.keys(sources)) {
        values[name] = bound[name];
        if (Object.hasOwn(given, name) && given[name] !== bound[name]) {
          return {
            ok: false,
            cause: 'identity',
            message: text.identityText(`"${name}" belongs to the customer and can't be changed.`),
          };
        }
      }
    }
    const complete = { ...given, ...values };
    const problem = check(complete);
    if (problem !== undefined)
      return { ok: false, cause: 'invalid_arguments', message: text.invalidArgumentsText(problem) };
    return { ok: true, definition: entry.definition, arguments: complete };
  }

  #source(row: AgentToolRow, known: ReadonlyMap<string, ServerLease> = this.#leases): ToolSource {
    const read = readToolConfig(row.tool_config);
    if (!read.ok) {
      const problem = read.problems
        .map(({ path, message }) => `tool_config${path && `.${path}`}: ${message}`)
        .join('; ');
      return { kind: 'broken', row, problem };
    }
    const { config } = read;
    try {
      if (config.kind === 'rest') {
        endpointUrl(config.endpoint);
        return { kind: 'rest', row, config };
      }
      const address = serverAddress(row.tool_name, config, this.#deps.config);
      let lease = this.#leases.get(address.key) ?? known.get(address.key);
      if (lease === undefined) {
        const { businessId, interactionId } = this.#deps.identity;
        const onChanged = (): void => void this.#refresh(opened.connection);
        const opened = this.#pool.lease(address, { businessId, interactionId, onChanged });
        lease = opened;
      }
      this.#leases.set(address.key, lease);
      const { connection } = lease;
      return { kind: 'mcp', row, config, connection };
    } catch (error) {
      if (!isFloorwalkerError(error)) throw error;
      return { kind: 'broken', row, problem: `tool_config.${error.message} ${error.remedy}` };
    }
  }

  async #refresh(connection: ServerConnection): Promise<void> {
    if (this.#closing.signal.aborted) return;
    await this.#list(connection, this.#closing.signal, REFRESH_TIMEOUT_MS);
    this.#rebuild();
  }

  /** Asks a server for its tools. Never rejects: the answer is a list or a reason. */
  async #list(
    connection: ServerConnection,
    signal: AbortSignal,
    timeoutMs = this.#connectTimeoutMs,
  ): Promise<void> {
    const startedAtMs = performance.now();
    const timeout = AbortSignal.timeout(timeoutMs);
    const combined = AbortSignal.any([signal, timeout, this.#closing.signal]);
    try {
      const tools = await connection.listTools(combined);
      this.#lists.set(connection, { tools });
      this.#down.delete(connection);
    } catch (error) {
      if (this.#closing.signal.aborted) return;
      const failure = readFailure(error, combined);
      this.#lists.set(connection, { reason: failure.message });
      if (this.#down.has(connection)) return;
      this.#down.add(connection);
      // The line in the log is the connection's, once for everybody; the trace is this interaction's.
      const detail = this.#pool.secrets.scrub(describeError(error));
      this.#deps.onStep({
        name: 'tool_server_unavailable',
        input: { server: connection.label },
        error: { code: 'tool_unavailable', message: detail },
        durationMs: Math.round(performance.now() - startedAtMs),
      });
    }
  }

  #rebuild(): void {
    const before = this.definitions.map(fingerprint).join();
    const { entries, known, problems } = buildEntries(
      this.#sources,
      this.#lists,
      this.#pool.schemas,
      this.#deps.config.defaultTimeoutMs,
      this.#known,
    );
    this.#entries = entries;
    this.#known = known;
    for (const { tool, problem } of problems) {
      const key = `${tool}: ${problem}`;
      if (this.#told.has(key)) continue;
      this.#told.add(key);
      this.#pool.lines.write('warn', key, { tool, reason: problem }, 'A tool of the agent can not be used');
      this.#deps.onStep({
        name: 'tool_refused',
        input: { tool },
        error: { code: 'tool_config_invalid', message: problem },
      });
    }
    if (before === this.definitions.map(fingerprint).join()) return;
    for (const listener of this.#listeners) listener();
  }
}

function fingerprint({ definitionHash, unavailable }: ToolDefinition): string {
  return `${definitionHash}:${unavailable ?? ''}`;
}
