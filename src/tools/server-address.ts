import { FloorwalkerError } from '../errors.ts';
import type { ServerProgram } from './child-process.ts';
import { namesSecret, type Secrets } from './secrets.ts';
import type { HttpToolConfig, McpToolConfig, OAuthConfig, RestToolConfig } from './tool-config.ts';
import type { ToolsConfig } from './types.ts';

/** Where an MCP server is; rows with the same `key` share a connection. Secrets are filled at each connect. */
export type ServerAddress = ConnectionTraits &
  (
    | {
        readonly kind: 'stdio';
        readonly key: string;
        readonly label: string;
        /** Folders that the operator names to the server. */
        readonly roots: readonly string[];
        program(secrets: Secrets): ServerProgram;
      }
    | {
        readonly kind: 'http';
        readonly key: string;
        readonly label: string;
        /** Where tokens come from, for a server that wants OAuth. */
        readonly oauth: OAuthConfig | undefined;
        request(secrets: Secrets): HttpTarget;
      }
  );

export interface ConnectionTraits {
  /** The server may ask the agent's model. */
  readonly sampling: boolean;
  /** Each interaction has a connection of its own. */
  readonly interactive: boolean;
  /** The row says that the server knows no sessions: no handshake is tried. */
  readonly stateless: boolean;
}

const MAX_MEMORY_MB = 512;

export interface HttpTarget {
  readonly url: URL;
  readonly headers: Record<string, string>;
}

function invalid(message: string, remedy?: string): FloorwalkerError {
  return new FloorwalkerError('tool_config_invalid', message, remedy === undefined ? {} : { remedy });
}

/** @throws FloorwalkerError `tool_config_invalid` for a server that the operator has not defined or not allowed. */
export function serverAddress(rowName: string, tool: McpToolConfig, config: ToolsConfig): ServerAddress {
  const traits = {
    sampling: tool.sampling ?? false,
    interactive: tool.interactive ?? false,
    stateless: tool.kind === 'http' && tool.revision !== undefined,
  };
  if (tool.kind === 'http') {
    endpointUrl(tool.endpoint);
    const { endpoint, headers, auth_type, auth_secret, oauth } = tool;
    const auth = auth_type === undefined || auth_type === 'none' ? null : [auth_type, auth_secret ?? rowName];
    return {
      ...traits,
      kind: 'http',
      key: JSON.stringify(['http', endpoint, headers ?? {}, auth, oauth ?? null, traits]),
      oauth,
      label: endpointUrl(endpoint).host,
      request: (secrets) => httpTarget(rowName, tool, secrets),
    };
  }
  const maxMemoryBytes = (config.serverMaxMemoryMb ?? MAX_MEMORY_MB) * 1024 * 1024;
  if (tool.kind === 'stdio') {
    const server = Object.hasOwn(config.servers, tool.server) ? config.servers[tool.server] : undefined;
    if (server === undefined) {
      throw invalid(
        `server: "${tool.server}" is not one that the operator defined`,
        'Define it in TOOL_SERVERS of the worker.',
      );
    }
    return {
      ...traits,
      kind: 'stdio',
      key: JSON.stringify(['server', tool.server, traits]),
      label: tool.server,
      roots: server.roots ?? [],
      program: (secrets) => ({
        ...server,
        maxMemoryBytes,
        env: fillValues(server.env, (value) => secrets.forOperatorServer(value)),
      }),
    };
  }
  if (!config.allowInlineStdio) {
    throw invalid(
      'command: inline commands are not allowed on this worker',
      'Define the server in TOOL_SERVERS and name it, or set ALLOW_INLINE_STDIO=1 where every row is trusted.',
    );
  }
  const { command, args, env } = tool;
  return {
    ...traits,
    kind: 'stdio',
    key: JSON.stringify(['inline', command, args, env, traits]),
    label: `inline:${rowName}`,
    roots: [],
    program: (secrets) => ({
      command,
      args,
      maxMemoryBytes,
      env: fillValues(env, (value) => secrets.forInlineServer(value)),
    }),
  };
}

function fillValues(
  values: Readonly<Record<string, string>>,
  fill: (value: string) => string,
): Record<string, string> {
  return Object.fromEntries(Object.entries(values).map(([name, value]) => [name, fill(value)]));
}

/** Stands for a secret while the address is checked, so that no secret can be part of the host. */
const STAND_IN = 'SECRET';

/** @throws FloorwalkerError `tool_config_invalid` */
export function endpointUrl(endpoint: string): URL {
  const origin = /^https?:\/\/[^/?#]*/i.exec(endpoint)?.[0] ?? '';
  if (namesSecret(origin)) throw invalid('endpoint: a secret can not be part of the host');
  if (/[{}]/.test(origin)) throw invalid('endpoint: an argument can not be part of the host');
  const text = endpoint.replace(/\$\{secret:[A-Z0-9_]+\}/g, STAND_IN);
  if (!URL.canParse(text)) throw invalid('endpoint: is not an address');
  const url = new URL(text);
  if (url.username !== '' || url.password !== '') {
    throw invalid('endpoint: must not contain a user name or password', `Use headers with \${secret:NAME}.`);
  }
  return url;
}

/** The address and headers of a request with secrets filled in, for this host only. */
export function httpTarget(
  rowName: string,
  tool: HttpToolConfig | RestToolConfig,
  secrets: Secrets,
): HttpTarget {
  const checked = endpointUrl(tool.endpoint);
  const url = new URL(secrets.forUrl(tool.endpoint, checked, encodeURIComponent));
  if (url.origin !== checked.origin) throw invalid('endpoint: a secret changes the host');
  const headers: Record<string, string> = {};
  for (const [name, value] of Object.entries(tool.headers ?? {})) {
    headers[name.toLowerCase()] = secrets.forUrl(value, checked);
  }
  const type = tool.auth_type;
  if (type !== undefined && type !== 'none' && headers.authorization === undefined) {
    const name = tool.auth_secret ?? rowName.toUpperCase().replace(/[^A-Z0-9_]/g, '_');
    const secret = secrets.forUrl(`\${secret:${name}}`, checked);
    if (type === 'bearer') headers.authorization = `Bearer ${secret}`;
    if (type === 'basic') headers.authorization = `Basic ${Buffer.from(secret).toString('base64')}`;
    if (type === 'api_key') headers['x-api-key'] ??= secret;
  }
  return { url, headers };
}
