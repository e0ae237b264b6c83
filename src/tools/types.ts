import type { Log } from '../log.ts';

export type JsonValue = string | number | boolean | null | JsonValue[] | { [key: string]: JsonValue };
export type JsonObject = Record<string, unknown>;
/** A JSON Schema as its server wrote it; the keywords are the server's, nothing is added or lost. */
export type JsonSchema = JsonObject;

/** The settings of the tool layer; `Config['tools']` has this shape. */
export interface ToolsConfig {
  readonly allowInlineStdio: boolean;
  readonly allowPrivateAddresses: boolean;
  readonly servers: Readonly<Record<string, StdioServer>>;
  readonly defaultTimeoutMs: number;
  readonly maxResultChars: number;
  secret(name: string): string | undefined;
  secretHosts(name: string): readonly string[];
}

/** A program that the operator allows as a tool server. */
export interface StdioServer {
  readonly command: string;
  readonly args: readonly string[];
  readonly env: Readonly<Record<string, string>>;
  readonly cwd?: string | undefined;
  /** Runs the program as this user; only where the worker may change users. */
  readonly runAs?: { readonly uid: number; readonly gid: number } | undefined;
}

/** A row of `agent_tools` as the database returns it. */
export interface AgentToolRow {
  readonly id: string;
  readonly tool_name: string;
  readonly tool_config: unknown;
  readonly requires_permission: boolean;
}

/** What a tool may be bound to. The getters are read at each call: the number may become known while people talk. */
export interface BoundIdentity {
  readonly businessId: string;
  readonly interactionId: string;
  readonly customerId: string | null;
  readonly phoneNumber: string | null;
  readonly phoneSource: 'claimed' | 'sip' | 'verified' | null;
}

/** One tool as the model is told about it. */
export interface ToolDefinition {
  readonly name: string;
  readonly description: string;
  /** The server's input schema without the arguments that are bound to the customer's identity. */
  readonly inputSchema: JsonSchema;
  readonly requiresPermission: boolean;
  /** Changes with anything that decides what a call would do; an approval holds for one hash only. */
  readonly definitionHash: string;
  /** Why it can't be used now, in words that the model may repeat; absent when it can. */
  readonly unavailable?: string | undefined;
  /** True where a second run with the same arguments has no further effect: only these are retried. */
  readonly idempotent: boolean;
  readonly timeoutMs: number;
}

/** Arguments that passed every check, with the bound ones filled in: these are stored, approved and run. */
export type PreparedCall =
  | { readonly ok: true; readonly definition: ToolDefinition; readonly arguments: JsonObject }
  | {
      readonly ok: false;
      readonly cause: 'unknown_tool' | 'unavailable' | 'invalid_arguments' | 'identity';
      readonly message: string;
    };

export interface ToolCallContext {
  readonly callId: string;
  readonly idempotencyKey: string;
  readonly signal: AbortSignal;
}

export interface ToolCallResult {
  /** `unknown`: the request went out and no answer came, so the effect may or may not have happened. */
  readonly status: 'succeeded' | 'failed' | 'unknown';
  /** What the model reads: bounded, without secrets. */
  readonly output: string;
  readonly isError: boolean;
  /** The whole result for the trace, bounded at 256 kB, without secrets. */
  readonly full: unknown;
}

export interface ToolCatalogue {
  readonly definitions: ToolDefinition[];
  definition(name: string): ToolDefinition | undefined;
  /**
   * Checks arguments against the tool's schema and fills the bound ones. Tries once to reach a server
   * that was unavailable. With `bound`, the bound values are those of an earlier prepared call (an
   * approver's edit must not change who the customer is).
   */
  prepare(
    name: string,
    args: unknown,
    options?: { bound?: JsonObject; signal?: AbortSignal },
  ): Promise<PreparedCall>;
  /** Runs a prepared call. Never throws: each trouble is a result that the model can be told. */
  call(name: string, args: JsonObject, context: ToolCallContext): Promise<ToolCallResult>;
  /** Called after `definitions` changed (a server came back, or lists other tools now). */
  onChanged(listener: () => void): void;
  close(): Promise<void>;
}

/** A line for the interaction's trace that is no tool call: a server out of reach, a row that can't be used. */
export interface ToolStep {
  readonly name: string;
  readonly input: JsonObject;
  readonly error: { readonly code: string; readonly message: string };
  readonly durationMs?: number;
}

export interface CatalogueDeps {
  readonly config: ToolsConfig;
  readonly identity: BoundIdentity;
  readonly log: Log;
  readonly onStep: (step: ToolStep) => void;
  /** How long joining waits for a server to list its tools; later calls try again. */
  readonly connectTimeoutMs?: number;
}
