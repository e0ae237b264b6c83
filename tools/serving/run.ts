import { parseArgs } from 'node:util';
import type { McpServer } from '@modelcontextprotocol/sdk/server/mcp.js';
import { StdioServerTransport } from '@modelcontextprotocol/sdk/server/stdio.js';
import { createClient, type SupabaseClient } from '@supabase/supabase-js';
import { z } from 'zod';
import { serveHttp } from './http.ts';
import { type Rpc, supabaseRpc } from './rpc.ts';
import { type Environment, readSettings, type ServerSettings } from './settings.ts';
import { makeAccessToken } from './token.ts';

export interface ToolServer {
  /** As in the command's name: `floorwalker-<name>`. */
  readonly name: string;
  /** Its database roles, without `floorwalker_`; the first is what a token is for unless told otherwise. Default: its name. */
  readonly roles?: readonly [string, ...string[]];
  /** Where it listens with `--http` unless told otherwise. */
  readonly port: number;
  /** What goes wrong beyond the loopback without a token. */
  readonly risk: string;
  create(rpc: Rpc, businessId: string, env: Environment): McpServer;
  /** Commands of its own, beside serving; `true` when it was one. */
  command?(args: readonly string[], open: () => Promise<Opened>, env: Environment): Promise<boolean>;
  /** Those commands: arguments, and what it does. */
  readonly usage?: readonly [args: string, what: string][];
}

export interface Opened {
  readonly rpc: Rpc;
  readonly businessId: string;
}

export function prefixOf(server: ToolServer): string {
  return server.name.toUpperCase();
}

/** The database of the settings, and whose data it is. */
export async function openDatabase(prefix: string, settings: ServerSettings): Promise<Opened> {
  const { accessToken } = settings;
  const db = createClient(settings.supabaseUrl, settings.supabaseKey, {
    auth: { persistSession: false, autoRefreshToken: false },
    ...(accessToken === undefined ? {} : { accessToken: () => Promise.resolve(accessToken) }),
  });
  const rpc = supabaseRpc(db, say);
  return { rpc, businessId: settings.businessId ?? (await onlyBusiness(db, prefix)) };
}

/** The business, where there is exactly one. @throws Error when there are several or none */
export async function onlyBusiness(db: SupabaseClient, prefix: string): Promise<string> {
  const { data, error } = await db.from('businesses').select('id').is('deleted_at', null).limit(2);
  if (error) throw new Error(`The database can not be read: ${error.message}`);
  const ids = z.array(z.object({ id: z.string() })).parse(data);
  if (ids.length !== 1 || ids[0] === undefined) {
    throw new Error(
      `There ${ids.length === 0 ? 'is no business' : 'are several businesses'}. Set ${prefix}_BUSINESS_ID to the id of the one it is for, or to "argument" where the host binds business_id.`,
    );
  }
  return ids[0].id;
}

/** The program: reads the command line and the environment, serves until its host is done with it. */
export function runToolServer(server: ToolServer, args: readonly string[], env: Environment): void {
  run(server, args, env).catch((error: unknown) => {
    say(error instanceof Error ? error.message : String(error));
    process.exitCode = 1;
  });
}

async function run(server: ToolServer, args: readonly string[], env: Environment): Promise<void> {
  const prefix = prefixOf(server);
  const open = () => openDatabase(prefix, readSettings(prefix, env));
  if (args[0] === 'token') return printToken(server, args.slice(1), env);
  if (await server.command?.(args, open, env)) return;
  const { values } = parseArgs({
    args: [...args],
    options: {
      http: { type: 'boolean', default: false },
      host: { type: 'string', default: '127.0.0.1' },
      port: { type: 'string', default: String(server.port) },
      help: { type: 'boolean', default: false },
    },
  });
  if (values.help) return say(usage(server));
  const { rpc, businessId } = await open();
  const create = () => server.create(rpc, businessId, env);
  if (values.http) {
    const running = await serveHttp({
      host: values.host,
      port: Number(values.port),
      token: readSettings(prefix, env).token,
      withoutToken: `${prefix}_TOKEN is not set. ${server.risk}; set one, or listen on 127.0.0.1.`,
      createServer: create,
    });
    say(`floorwalker-${server.name}: MCP over HTTP at ${running.url}`);
    for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => void running.close());
    return;
  }
  const mcp = create();
  await mcp.connect(new StdioServerTransport());
  // The host closes our input when it is done with us.
  process.stdin.once('end', () => void mcp.close().then(() => process.exit(0)));
}

function usage(server: ToolServer): string {
  const role = server.roles === undefined ? '' : ` [--role ${server.roles.join('|')}]`;
  const lines: [string, string][] = [
    ['', 'serve MCP over stdio'],
    [`--http [--host 127.0.0.1] [--port ${server.port}]`, 'serve MCP over streamable HTTP'],
    [`token --business ID [--days 365]${role}`, 'print a token of its own database role'],
    ...(server.usage ?? []),
  ];
  return lines
    .map(([args, what]) => `floorwalker-${server.name} ${args}`.trimEnd().concat(`\n    ${what}`))
    .join('\n');
}

function printToken(server: ToolServer, args: readonly string[], env: Environment): void {
  const roles = server.roles ?? ([server.name] as const);
  const { values } = parseArgs({
    args: [...args],
    options: {
      business: { type: 'string' },
      days: { type: 'string', default: '365' },
      role: { type: 'string', default: roles[0] },
    },
  });
  const name = `${prefixOf(server)}_JWT_SECRET`;
  const jwtSecret = env[name];
  if (!jwtSecret)
    throw new Error(`${name} is not set. Set it to the project's JWT secret, for this command only.`);
  const businessId = z.guid().safeParse(values.business);
  if (!businessId.success) throw new Error('--business is not an id. Copy it from the table businesses.');
  const days = z.coerce.number().int().min(1).max(3_650).safeParse(values.days);
  if (!days.success) throw new Error('--days is not a whole number from 1 to 3650.');
  if (!roles.includes(values.role)) throw new Error(`--role is none of: ${roles.join(', ')}.`);
  const role = `floorwalker_${values.role}`;
  process.stdout.write(
    `${makeAccessToken({ role, businessId: businessId.data, jwtSecret, nowMs: Date.now(), days: days.data })}\n`,
  );
}

function say(line: string): void {
  process.stderr.write(`${line}\n`);
}
