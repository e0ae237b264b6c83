import { FloorwalkerError, isFloorwalkerError } from '../errors.ts';
import type { Log } from '../log.ts';
import { readBoundArguments } from './bound-arguments.ts';
import { readFailure } from './call-failure.ts';
import { buildEntries, type CatalogueEntry, type ServerList, type ToolSource } from './catalogue-entries.ts';
import { createGuardedFetch, type GuardedFetch } from './guarded-fetch.ts';
import { InputSchemas } from './input-schema.ts';
import * as text from './outcome-text.ts';
import { Secrets } from './secrets.ts';
import { endpointUrl, serverAddress } from './server-address.ts';
import { ServerConnection } from './server-connection.ts';
import { readToolConfig } from './tool-config.ts';
import { runTool } from './tool-run.ts';
import type {
  AgentToolRow,
  CatalogueDeps,
  JsonObject,
  PreparedCall,
  ToolCallContext,
  ToolCallResult,
  ToolCatalogue,
  ToolDefinition,
} from './types.ts';

const CONNECT_TIMEOUT_MS = 5_000;
/** Nobody waits for a list that a server announced itself. */
const REFRESH_TIMEOUT_MS = 30_000;

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
  readonly #secrets: Secrets;
  readonly #http: GuardedFetch;
  readonly #schemas = new InputSchemas();
  readonly #connections = new Map<string, ServerConnection>();
  readonly #sources: ToolSource[];
  readonly #lists = new Map<ServerConnection, ServerList>();
  readonly #listeners = new Set<() => void>();
  readonly #closing = new AbortController();
  readonly #told = new Set<string>();
  readonly #down = new Set<ServerConnection>();
  #entries = new Map<string, CatalogueEntry>();

  constructor(rows: readonly AgentToolRow[], deps: CatalogueDeps) {
    this.#deps = deps;
    this.#log = deps.log.child({ interactionId: deps.identity.interactionId });
    this.#secrets = new Secrets(deps.config);
    this.#http = createGuardedFetch({ allowPrivateAddresses: deps.config.allowPrivateAddresses });
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
    await Promise.all(
      [...this.#connections.values()].map((connection) => this.#list(connection, this.#closing.signal)),
    );
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
      secrets: this.#secrets,
      http: this.#http,
      log: this.#log,
      maxResultChars: this.#deps.config.maxResultChars,
      closing: this.#closing.signal,
    });
  }

  async close(): Promise<void> {
    this.#closing.abort(new Error('The catalogue is closed'));
    this.#listeners.clear();
    await Promise.allSettled([...this.#connections.values()].map((connection) => connection.close()));
    await this.#http.close().catch(() => undefined);
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

  #source(row: AgentToolRow): ToolSource {
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
      let connection = this.#connections.get(address.key);
      if (connection === undefined) {
        const opened = new ServerConnection(address, {
          log: this.#log,
          secrets: this.#secrets,
          http: this.#http,
          onListChanged: () => void this.#refresh(opened),
        });
        connection = opened;
        this.#connections.set(address.key, connection);
      }
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
      if (this.#down.delete(connection))
        this.#log.info({ server: connection.label }, 'A tool server can be reached again');
    } catch (error) {
      if (this.#closing.signal.aborted) return;
      const failure = readFailure(error, combined);
      this.#lists.set(connection, { reason: failure.message });
      if (this.#down.has(connection)) return;
      this.#down.add(connection);
      const detail = this.#secrets.scrub(describeError(error));
      this.#log.warn(
        { server: connection.label, reason: detail },
        'A tool server can not be used; its tools are unavailable',
      );
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
    const { entries, problems } = buildEntries(
      this.#sources,
      this.#lists,
      this.#schemas,
      this.#deps.config.defaultTimeoutMs,
    );
    this.#entries = entries;
    for (const { tool, problem } of problems) {
      const key = `${tool}: ${problem}`;
      if (this.#told.has(key)) continue;
      this.#told.add(key);
      this.#log.warn({ tool, reason: problem }, 'A tool of the agent can not be used');
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

/** For the log and the trace: the error and what caused it, without a stack. */
function describeError(error: unknown): string {
  const parts: string[] = [];
  for (
    let current = error, depth = 0;
    current instanceof Error && depth < 4;
    current = current.cause, depth += 1
  ) {
    parts.push(current.message);
    if (current instanceof FloorwalkerError && Object.keys(current.details).length > 0)
      parts.push(JSON.stringify(current.details));
  }
  return parts.join(': ').slice(0, 500) || String(error).slice(0, 500);
}
