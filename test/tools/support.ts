import { fileURLToPath } from 'node:url';
import { onTestFinished } from 'vitest';
import { createLog, type Log } from '../../src/log.ts';
import { openCatalogue } from '../../src/tools/catalogue.ts';
import type {
  AgentToolRow,
  BoundIdentity,
  ToolCatalogue,
  ToolStep,
  ToolsConfig,
} from '../../src/tools/types.ts';
import { type HttpFixture, startHttpServer } from './servers/http.ts';

export const STDIO_SERVER = fileURLToPath(new URL('./servers/stdio.ts', import.meta.url));

export function row(toolName: string, toolConfig: unknown, requiresPermission = false): AgentToolRow {
  return {
    id: toolName,
    tool_name: toolName,
    tool_config: toolConfig,
    requires_permission: requiresPermission,
  };
}

export function inline(mode: string, extra: object = {}): object {
  return { transport: 'stdio', command: process.execPath, args: [STDIO_SERVER, mode], ...extra };
}

/** The same tools over HTTP in this very process: fast, and its calls can be looked at. */
export async function http(mode: string): Promise<{ server: HttpFixture; tool: (extra?: object) => object }> {
  const server = await startHttpServer(mode);
  onTestFinished(() => server.close());
  return { server, tool: (extra = {}) => ({ transport: 'http', endpoint: server.url, ...extra }) };
}

export interface LogLine {
  level: number;
  msg: string;
  [field: string]: unknown;
}

export function recordingLog(): { log: Log; lines: LogLine[] } {
  const lines: LogLine[] = [];
  const destination = { write: (line: string) => void lines.push(JSON.parse(line) as LogLine) };
  return { log: createLog({ level: 'debug', destination }), lines };
}

export const NOBODY: BoundIdentity = {
  businessId: '00000000-0000-4000-8000-000000000001',
  interactionId: '00000000-0000-4000-8000-000000000002',
  customerId: null,
  phoneNumber: null,
  phoneSource: null,
};

export interface Opened {
  readonly catalogue: ToolCatalogue;
  readonly steps: ToolStep[];
  readonly lines: LogLine[];
}

export function toolsConfig(
  overrides: Partial<ToolsConfig> = {},
  secrets: Record<string, [string, string[]]> = {},
): ToolsConfig {
  return {
    allowInlineStdio: true,
    allowPrivateAddresses: true,
    servers: {},
    defaultTimeoutMs: 20_000,
    maxResultChars: 8_000,
    secret: (name) => secrets[name]?.[0],
    secretHosts: (name) => secrets[name]?.[1] ?? [],
    ...overrides,
  };
}

/** A catalogue that is closed after the test. */
export async function open(
  rows: AgentToolRow[],
  options: { config?: ToolsConfig; identity?: BoundIdentity; connectTimeoutMs?: number } = {},
): Promise<Opened> {
  const { log, lines } = recordingLog();
  const steps: ToolStep[] = [];
  const catalogue = await openCatalogue(rows, {
    config: options.config ?? toolsConfig(),
    identity: options.identity ?? NOBODY,
    log,
    onStep: (step) => steps.push(step),
    ...(options.connectTimeoutMs === undefined ? {} : { connectTimeoutMs: options.connectTimeoutMs }),
  });
  onTestFinished(() => catalogue.close());
  return { catalogue, steps, lines };
}

let calls = 0;

/** Prepares and runs a call as the ledger does. */
export async function run(
  catalogue: ToolCatalogue,
  name: string,
  args: unknown,
  signal = new AbortController().signal,
) {
  const prepared = await catalogue.prepare(name, args);
  if (!prepared.ok)
    return { status: 'refused' as const, output: prepared.message, isError: true, full: null };
  calls += 1;
  return catalogue.call(name, prepared.arguments, {
    callId: `call-${calls}`,
    idempotencyKey: `key-${calls}`,
    signal,
  });
}

/** Polls until the condition holds; tests wait for facts, not for time. */
export async function until(
  condition: () => boolean | Promise<boolean>,
  what: string,
  deadlineMs = 20_000,
): Promise<void> {
  const endMs = performance.now() + deadlineMs;
  while (!(await condition())) {
    if (performance.now() > endMs) throw new Error(`Waited in vain: ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}
