import { Client } from '@modelcontextprotocol/sdk/client/index.js';
import { StreamableHTTPClientTransport } from '@modelcontextprotocol/sdk/client/streamableHttp.js';
import type { Transport } from '@modelcontextprotocol/sdk/shared/transport.js';
import { createLog } from '../../src/log.ts';
import { openCatalogue } from '../../src/tools/catalogue.ts';
import { ServerPool } from '../../src/tools/server-pool.ts';
import type { ToolCatalogue, ToolsConfig } from '../../src/tools/types.ts';
import { type HttpFixture, startHttpServer } from '../../test/tools/servers/http.ts';
import type { Measurements } from '../measurements.ts';

/** A whole worker's tools: this many servers, each used by every one of this many conversations. */
const SERVERS = 50;
const INTERACTIONS = 100;
const DOWN = 10;
const CALLS = 200;
const DOWN_MS = 30_000;
const BUSINESS = '00000000-0000-4000-8000-000000000001';

const config: ToolsConfig = {
  allowInlineStdio: false,
  allowPrivateAddresses: true,
  servers: {},
  defaultTimeoutMs: 10_000,
  maxResultChars: 8_000,
  secret: () => undefined,
  secretHosts: () => [],
};

interface Process {
  readonly pool: ServerPool;
  readonly lines: string[];
  join(nth: number, servers: readonly HttpFixture[]): Promise<ToolCatalogue>;
}

/** What a worker's process has, without the rest of it. */
function startProcess(): Process {
  const lines: string[] = [];
  const destination = { write: (line: string) => void lines.push(line) };
  const log = createLog({ level: 'info', destination });
  const pool = new ServerPool({ config, log });
  return {
    pool,
    lines,
    join: (nth, servers) =>
      openCatalogue(
        servers.map(({ url }, index) => ({
          id: `row-${index}`,
          tool_name: `server_${index}`,
          tool_config: { transport: 'http', endpoint: url, tool: 'ping' },
          requires_permission: false,
        })),
        {
          config,
          log,
          pool,
          identity: {
            businessId: BUSINESS,
            interactionId: `interaction-${nth}`,
            customerId: null,
            phoneNumber: null,
            phoneSource: null,
          },
          onStep: () => undefined,
        },
      ),
  };
}

let keys = 0;
async function callOnce(catalogue: ToolCatalogue, name: string): Promise<number> {
  keys += 1;
  const startedAt = performance.now();
  const prepared = await catalogue.prepare(name, {});
  if (!prepared.ok) throw new Error(prepared.message);
  const context = {
    callId: `call-${keys}`,
    idempotencyKey: `key-${keys}`,
    signal: new AbortController().signal,
  };
  const result = await catalogue.call(name, prepared.arguments, context);
  if (result.status !== 'succeeded') throw new Error(result.output);
  return performance.now() - startedAt;
}

/** What a call through our layer costs beside the bare SDK's client on the same server. */
async function measureCall(results: Measurements): Promise<void> {
  const server = await startHttpServer('plain');
  const { pool, join } = startProcess();
  const client = new Client({ name: 'bare', version: '1' });
  await client.connect(new StreamableHTTPClientTransport(new URL(server.url)) as Transport);
  const catalogue = await join(1, [server]);
  try {
    for (let nth = 0; nth < CALLS; nth += 1) {
      const startedAt = performance.now();
      await client.callTool({ name: 'ping', arguments: {} });
      const bare = performance.now() - startedAt;
      const ours = await callOnce(catalogue, 'server_0');
      if (nth < 20) continue;
      results.add('mcp', 'a call, bare SDK', bare);
      results.add('mcp', 'a call, tool layer', ours);
    }
  } finally {
    await catalogue.close();
    await client.close();
    await pool.close();
    await server.close();
  }
}

/** Memory and joining times of many conversations, log lines while servers are down, and what a slow server does to others. */
async function measureFleet(results: Measurements): Promise<void> {
  const servers = await Promise.all(Array.from({ length: SERVERS }, () => startHttpServer('plain')));
  const { pool, join, lines } = startProcess();
  const rss = () => process.memoryUsage.rss() / 1024 / 1024;
  const catalogues: ToolCatalogue[] = [];
  try {
    const before = rss();
    for (let nth = 0; nth < INTERACTIONS; nth += 1) {
      const startedAt = performance.now();
      catalogues.push(await join(nth, servers.slice(0, SERVERS / 2)));
      results.add(
        'mcp',
        nth === 0 ? 'joining 25 servers, the first conversation' : 'joining 25 servers, the others',
        performance.now() - startedAt,
      );
    }
    for (const catalogue of catalogues.splice(0)) await catalogue.close();
    const all = Array.from({ length: INTERACTIONS }, async (_, nth) => {
      const startedAt = performance.now();
      const catalogue = await join(nth, servers);
      results.add(
        'mcp',
        `joining ${SERVERS} servers, ${INTERACTIONS} at once`,
        performance.now() - startedAt,
      );
      return catalogue;
    });
    catalogues.push(...(await Promise.all(all)));
    results.add(
      'mcp',
      `${SERVERS} servers × ${INTERACTIONS} conversations, RSS more (servers included)`,
      rss() - before,
      'MB',
    );
    const [first] = catalogues;
    if (first === undefined) throw new Error('nobody joined');
    for (let nth = 0; nth < CALLS / 2; nth += 1)
      results.add('mcp', 'a call, all servers well', await callOnce(first, 'server_49'));
    for (const server of servers.slice(0, DOWN)) await server.close();
    for (const server of servers.slice(DOWN, DOWN * 2)) server.mode = 'hang_on_call';
    const stop = new AbortController();
    const hanging = servers
      .slice(DOWN, DOWN * 2)
      .map((_, index) =>
        first.call(
          `server_${DOWN + index}`,
          {},
          { callId: `h-${index}`, idempotencyKey: `h-${index}`, signal: stop.signal },
        ),
      );
    const linesBefore = lines.length;
    const downSince = performance.now();
    for (const catalogue of catalogues.slice(0, 20))
      await Promise.allSettled(
        servers.slice(0, DOWN).map((_, index) => callOnce(catalogue, `server_${index}`)),
      );
    for (let nth = 0; nth < CALLS / 2; nth += 1)
      results.add(
        'mcp',
        `a call, ${DOWN} servers down and ${DOWN} hanging`,
        await callOnce(first, 'server_49'),
      );
    const late = performance.now();
    catalogues.push(await join(INTERACTIONS, servers));
    results.add('mcp', `joining with ${DOWN} servers down`, performance.now() - late);
    await new Promise((resolve) =>
      setTimeout(resolve, Math.max(0, DOWN_MS - (performance.now() - downSince))),
    );
    const minutes = (performance.now() - downSince) / 60_000;
    results.add(
      'mcp',
      `log lines a minute, ${DOWN} servers down`,
      (lines.length - linesBefore) / minutes,
      'lines',
    );
    stop.abort(new Error('measured'));
    await Promise.all(hanging);
  } finally {
    for (const catalogue of catalogues) await catalogue.close();
    await pool.close();
    await Promise.all(servers.slice(DOWN).map((server) => server.close()));
  }
}

export async function measureMcp(results: Measurements): Promise<void> {
  await results.attempt('mcp', () => measureCall(results));
  await results.attempt('mcp', () => measureFleet(results));
}
