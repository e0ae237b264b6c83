import { z } from 'zod';
import { createLog } from '../../src/log.ts';
import { openCatalogue } from '../../src/tools/catalogue.ts';
import { ServerPool } from '../../src/tools/server-pool.ts';
import type { JsonSchema, ToolsConfig } from '../../src/tools/types.ts';

/**
 * One scenario of `conformance client`: the tool layer as a conversation uses it, with one row for the
 * server under test. It lists the tools and calls each of them once.
 */
const REDIRECT_URL = 'http://127.0.0.1:3000/callback';
const endpoint = process.argv.at(-1) ?? '';
const context = z
  .looseObject({
    client_id: z.string().optional(),
    client_secret: z.string().optional(),
    // What a scenario wants to be called with.
    toolCalls: z
      .array(z.object({ name: z.string(), arguments: z.record(z.string(), z.unknown()) }))
      .default([]),
  })
  .parse(JSON.parse(process.env.MCP_CONFORMANCE_CONTEXT ?? '{}'));
const scenario = process.env.MCP_CONFORMANCE_SCENARIO ?? '';
const revision = process.env.MCP_CONFORMANCE_PROTOCOL_VERSION ?? '';

const config: ToolsConfig = {
  allowInlineStdio: false,
  allowPrivateAddresses: true,
  servers: {},
  defaultTimeoutMs: 60_000,
  maxResultChars: 8_000,
  secret: (name) => (name === 'CLIENT' ? context.client_secret : undefined),
  secretHosts: () => [new URL(endpoint).hostname],
};
const log = createLog({ level: process.env.CONFORMANCE_LOG ?? 'silent' });

/** A person who consents at once: follows the authorization address and takes the answer from the redirect. */
async function authorize(url: URL): Promise<URLSearchParams> {
  const answer = await fetch(url, { redirect: 'manual' });
  return new URL(answer.headers.get('location') ?? '').searchParams;
}

const isMachine = scenario.startsWith('auth/client-credentials');
const pool = new ServerPool({
  config,
  log,
  ...(isMachine
    ? {}
    : {
        authorize,
        redirectUrl: REDIRECT_URL,
        clientMetadataUrl: 'https://conformance-test.local/client-metadata.json',
      }),
});
const oauth = {
  grant: isMachine ? 'client_credentials' : 'refresh_token',
  ...(context.client_id === undefined ? {} : { client_id: context.client_id }),
  ...(context.client_secret === undefined ? {} : { client_secret: 'CLIENT' }),
};
const catalogue = await openCatalogue(
  [
    {
      id: 'server',
      tool_name: 's',
      tool_config: {
        transport: 'http',
        endpoint,
        expand: true,
        ...(revision === '2026-07-28' ? { revision } : {}),
        ...(scenario.startsWith('auth/') ? { oauth } : {}),
      },
      requires_permission: false,
    },
  ],
  {
    config,
    identity: { businessId: 'b', interactionId: 'i', customerId: null, phoneNumber: null, phoneSource: null },
    log,
    pool,
    onStep: () => undefined,
    connectTimeoutMs: 60_000,
    // A customer who has nothing to add to the defaults.
    host: { ask: async () => ({ action: 'accept', content: {} }) },
  },
);

/** Some value for each required argument. */
function someArguments(schema: JsonSchema): Record<string, unknown> {
  const { properties, required } = z
    .looseObject({
      properties: z.record(z.string(), z.looseObject({ type: z.string().optional() })).default({}),
      required: z.array(z.string()).default([]),
    })
    .parse(schema);
  const values: Record<string, unknown> = {
    number: 5,
    integer: 5,
    string: 'x',
    boolean: true,
    object: {},
    array: [],
  };
  return Object.fromEntries(required.map((name) => [name, values[properties[name]?.type ?? 'string']]));
}

let failed = false;
for (const { name, unavailable, inputSchema } of catalogue.definitions) {
  if (unavailable !== undefined) {
    failed = true;
    process.stderr.write(`${name}: ${unavailable}\n`);
    continue;
  }
  const signal = new AbortController().signal;
  // The scenario that asks for a schema back as it came through the layer.
  const focal = catalogue.definition('s_json_schema_2020_12_tool');
  const echoed = name === 's_json_schema_echo' && focal !== undefined ? { schema: focal.inputSchema } : {};
  const given = context.toolCalls.find((call) => `s_${call.name}` === name)?.arguments;
  // Nothing at all is how our layer says null where a schema has no null.
  const wanted = given && Object.fromEntries(Object.entries(given).filter(([, value]) => value !== null));
  const prepared = await catalogue.prepare(name, wanted ?? { ...someArguments(inputSchema), ...echoed });
  if (!prepared.ok) throw new Error(prepared.message);
  const result = await catalogue.call(name, prepared.arguments, {
    callId: name,
    idempotencyKey: name,
    signal,
  });
  process.stdout.write(`${name}: ${result.status} ${result.output}\n`);
}
await catalogue.close();
await pool.close();
process.exitCode = failed ? 1 : 0;
