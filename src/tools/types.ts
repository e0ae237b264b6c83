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
  /** Calls that may run at once on one connection to a server; more wait. Default 16. */
  readonly serverConcurrency?: number | undefined;
  /** How long a connection that nobody uses is kept. Default 5 minutes. */
  readonly serverIdleMs?: number | undefined;
  /** Memory that a tool server's process may take before it is stopped. Default 512 MB. */
  readonly serverMaxMemoryMb?: number | undefined;
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
  /** Folders (file:// addresses) that the server is told about when it asks for roots. */
  readonly roots?: readonly string[] | undefined;
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
  /** The row it comes from, where that has another name. */
  readonly rowName?: string | undefined;
  /** Nobody has seen the tool yet: no rule of its row can open its gate. */
  readonly mustAsk?: boolean | undefined;
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

/** A few plain fields that a server wants to know while it runs a call. The words are the server's. */
export interface ToolQuestion {
  readonly message: string;
  /** JSON Schema of type object with plain properties. */
  readonly schema: JsonObject;
}

export interface ToolAnswer {
  readonly action: 'accept' | 'decline' | 'cancel';
  readonly content?: JsonObject;
}

export interface SampleRequest {
  readonly system?: string | undefined;
  readonly messages: readonly { readonly role: 'user' | 'assistant'; readonly text: string }[];
  readonly maxTokens: number;
}

export interface ToolProgress {
  readonly progress: number;
  readonly total?: number | undefined;
  /** The server's words, bounded and without secrets. */
  readonly message?: string | undefined;
}

/** What the conversation can do for a server that runs one of its calls. Left out: it can't be done. */
export interface CallHost {
  ask?(callId: string, question: ToolQuestion, signal: AbortSignal): Promise<ToolAnswer>;
  sample?(
    callId: string,
    request: SampleRequest,
    signal: AbortSignal,
  ): Promise<{ readonly text: string; readonly model: string }>;
  progress?(callId: string, progress: ToolProgress): void;
}

/** The same for one call that is under way on a connection. */
export interface CallPeer {
  readonly interactionId: string;
  /** How often this call has asked so far; the connection counts and bounds. */
  questions: number;
  samples: number;
  ask?(question: ToolQuestion, signal: AbortSignal): Promise<ToolAnswer>;
  sample?(
    request: SampleRequest,
    signal: AbortSignal,
  ): Promise<{ readonly text: string; readonly model: string }>;
  progress?(progress: ToolProgress): void;
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
  /** Takes the agent's rows as they are now: edited, added, removed or newly gated ones count from the next call. */
  update(rows: readonly AgentToolRow[]): Promise<void>;
  close(): Promise<void>;
}

/** A line for the interaction's trace that is no tool call: a server out of reach, a row that can't be used. */
export interface ToolStep {
  readonly name: string;
  readonly input: JsonObject;
  readonly error: { readonly code: string; readonly message: string };
  readonly durationMs?: number;
}
