import { z } from 'zod';
import { policySchema } from './tool-policy.ts';

/** Values of the interaction that an argument may be bound to; the model neither sees nor fills such an argument. */
export const BIND_SOURCES = [
  'customer.phone_number',
  'customer.id',
  'business.id',
  'interaction.id',
] as const;
export type BindSource = (typeof BIND_SOURCES)[number];

const common = {
  /** The tool's name on its server; default is the row's `tool_name`. */
  tool: z.string().min(1).max(200).optional(),
  /** Replaces the server's description. */
  description: z.string().min(1).max(4_000).optional(),
  bind: z.record(z.string().min(1), z.enum(BIND_SOURCES)).optional(),
  /** Whether a bound customer must be known by more than their word (caller id or a check); default true. */
  require_verified: z.boolean().optional(),
  /** Says that a second run with the same arguments does no harm, where the server does not say it. */
  idempotent: z.boolean().optional(),
  /** Rules that allow, ask or forbid; see `tool-policy.ts`. */
  policy: policySchema.optional(),
  params: z
    .strictObject({
      /** Seconds that a call may take, retries included. */
      timeout: z.number().positive().max(600).optional(),
      retry_count: z.number().int().min(0).max(5).optional(),
    })
    .optional(),
};

const expandable = {
  ...common,
  /** Lets the server ask the agent's model (MCP sampling), bounded; default false. */
  sampling: z.boolean().optional(),
  /** Gives each interaction a connection of its own: for a server that keeps state or asks questions by stdio. */
  interactive: z.boolean().optional(),
  expand: z.boolean().optional(),
  /** Names of the server's tools when the row was saved; with `expand`, any other is gated. */
  known_tools: z.array(z.string()).max(500).optional(),
};

const AUTH_TYPES = ['none', 'bearer', 'api_key', 'basic'] as const;

const secretName = z.string().regex(/^[A-Z0-9_]+$/, 'must be capitals, digits and underscores');
/** OAuth 2.1 for an MCP server: as the client itself, or with a token that a person granted before. */
const oauthSchema = z.strictObject({
  grant: z.enum(['client_credentials', 'refresh_token']),
  /** Left out where the server registers clients by itself (`floorwalker tools authorize`). */
  client_id: z.string().min(1).max(500).optional(),
  /** Name of the secret that holds the client's secret. */
  client_secret: secretName.optional(),
  /** Name of the secret that holds the first refresh token; a rotated one is kept in the database. */
  refresh_token: secretName.optional(),
  scope: z.string().max(1_000).optional(),
  /** The authorization server that the credentials belong to; no other gets them. */
  issuer: z.url().optional(),
});
export type OAuthConfig = z.output<typeof oauthSchema>;

const http = {
  endpoint: z
    .string()
    .max(2_000)
    .regex(/^https?:\/\//i, 'must begin with http:// or https://'),
  headers: z
    .record(z.string().regex(/^[!#$%&'*+.^_`|~0-9A-Za-z-]+$/, 'is no header name'), z.string())
    .optional(),
  auth_type: z.enum(AUTH_TYPES).optional(),
  /** Name of the secret that `auth_type` sends; default is the row's `tool_name` in capitals. */
  auth_secret: z
    .string()
    .regex(/^[A-Z0-9_]+$/, 'must be capitals, digits and underscores')
    .optional(),
};

const stdioServerSchema = z.strictObject({
  transport: z.literal('stdio'),
  server: z.string().min(1),
  ...expandable,
});
const stdioInlineSchema = z.strictObject({
  transport: z.literal('stdio'),
  command: z.string().min(1),
  args: z.array(z.string()).default([]),
  env: z.record(z.string(), z.string()).default({}),
  ...expandable,
});
const httpSchema = z.strictObject({
  transport: z.literal('http'),
  ...http,
  oauth: oauthSchema.optional(),
  /** Of the protocol, where the server has no handshake; without it the one that the server knows is found out. */
  revision: z.literal('2026-07-28').optional(),
  ...expandable,
});
const restSchema = z.strictObject({
  ...http,
  method: z
    .string()
    .transform((method) => method.toUpperCase())
    .pipe(z.enum(['GET', 'POST', 'PUT', 'PATCH', 'DELETE']))
    .default('GET'),
  input_schema: z.record(z.string(), z.unknown()).optional(),
  ...common,
});

export type StdioToolConfig = z.output<typeof stdioServerSchema>;
export type InlineToolConfig = z.output<typeof stdioInlineSchema>;
export type HttpToolConfig = z.output<typeof httpSchema>;
export type RestToolConfig = z.output<typeof restSchema>;

/** `tool_config` after reading: `kind` says which of the four forms it is. */
export type ToolConfig =
  | ({ readonly kind: 'stdio' } & StdioToolConfig)
  | ({ readonly kind: 'inline' } & InlineToolConfig)
  | ({ readonly kind: 'http' } & HttpToolConfig)
  | ({ readonly kind: 'rest' } & RestToolConfig);
export type McpToolConfig = Exclude<ToolConfig, { kind: 'rest' }>;

export type ReadToolConfig =
  | { readonly ok: true; readonly config: ToolConfig }
  | { readonly ok: false; readonly problems: readonly { readonly path: string; readonly message: string }[] };

/**
 * Reads a `tool_config`. Unknown fields are problems, not ignored: a misspelt `bind` must not become a tool
 * that trusts what the model says about the customer.
 */
export function readToolConfig(value: unknown): ReadToolConfig {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return wrong('must be an object');
  if (!('transport' in value)) return parse(restSchema, value, 'rest');
  if (value.transport === 'http') return parse(httpSchema, value, 'http');
  if (value.transport !== 'stdio')
    return wrong('must be "stdio" or "http", or left out for plain REST', 'transport');
  if ('server' in value) return parse(stdioServerSchema, value, 'stdio');
  return parse(stdioInlineSchema, value, 'inline');
}

function parse<Kind extends ToolConfig['kind'], Output extends object>(
  schema: z.ZodType<Output>,
  value: object,
  kind: Kind,
): ReadToolConfig {
  const parsed = schema.safeParse(value);
  if (parsed.success) return { ok: true, config: { kind, ...parsed.data } as unknown as ToolConfig };
  const problems = parsed.error.issues.map((issue) => ({
    path: issue.path.join('.'),
    message: issue.message,
  }));
  return { ok: false, problems };
}

function wrong(message: string, path = ''): ReadToolConfig {
  return { ok: false, problems: [{ path, message }] };
}
