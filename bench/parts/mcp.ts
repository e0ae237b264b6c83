import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { Client } from '@modelcontextprotocol/sdk/client/index.js';
import { StreamableHTTPClientTransport } from '@modelcontextprotocol/sdk/client/streamableHttp.js';
import type { Transport } from '@modelcontextprotocol/sdk/shared/transport.js';
import { z } from 'zod';
import type { ToolCatalogue } from '../../src/tools/types.ts';
import { startHttpServer } from '../../test/tools/servers/http.ts';
import { type Measurements, percentile } from '../measurements.ts';
import type { NeighbourTask } from '../neighbour.ts';
import { callOnce, startToolProcess } from '../tool-process.ts';

/** A whole worker's tools: this many servers, each used by every one of this many conversations. */
const SERVERS = 50;
const INTERACTIONS = 100;
const DOWN = 10;
const CALLS = 200;
const DOWN_MS = 30_000;
/** Calls that the two workers make in turn. */
const TURNS = 30;
const CALLS_A_TURN = 20;
const WARMING_CALLS = 3;
const NEIGHBOUR = fileURLToPath(new URL('../neighbour.ts', import.meta.url));
/** What a call through our layer costs beside the bare SDK's client on the same server. */
async function measureCall(results: Measurements): Promise<void> {
  const server = await startHttpServer('plain');
  const { pool, join } = startToolProcess();
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

/** Memory and joining times of many conversations, and log lines while servers are down. */
async function measureFleet(results: Measurements): Promise<void> {
  const servers = await Promise.all(Array.from({ length: SERVERS }, () => startHttpServer('plain')));
  const { pool, join, lines } = startToolProcess();
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

/** A worker's process; see `neighbour.ts`. */
class Neighbour {
  readonly #child: ChildProcess;
  readonly #ended: Promise<unknown>;

  private constructor(child: ChildProcess) {
    this.#child = child;
    this.#ended = once(child, 'exit');
  }

  static async start(task: NeighbourTask): Promise<Neighbour> {
    const child = fork(NEIGHBOUR, [JSON.stringify(task)], { stdio: ['ignore', 'ignore', 'inherit', 'ipc'] });
    const neighbour = new Neighbour(child);
    await neighbour.#answer();
    return neighbour;
  }

  /** Milliseconds of each of so many calls to the good server, one after the other. */
  measure(calls: number): Promise<number[]> {
    this.#child.send(calls);
    return this.#answer();
  }

  async stop(): Promise<void> {
    this.#child.kill('SIGKILL');
    await this.#ended;
  }

  async #answer(): Promise<number[]> {
    const ended = this.#ended.then(() => {
      throw new Error('A process of the measurement has ended');
    });
    const [values] = await Promise.race([once(this.#child, 'message'), ended]);
    return z.array(z.number()).parse(values);
  }
}

/**
 * Two workers side by side on the same good server: one has it alone, the other has ten servers that are down and ten
 * that hang beside it, and calls them all the time. They take turns, so that whatever else the machine does hits both.
 */
async function measureNeighbours(results: Measurements): Promise<void> {
  const good = await startHttpServer('plain');
  const down = await Promise.all(Array.from({ length: DOWN }, () => startHttpServer('plain')));
  const hanging = await Promise.all(Array.from({ length: DOWN }, () => startHttpServer('hang_on_call')));
  for (const server of down) await server.close();
  const urls = (servers: readonly { url: string }[]) => servers.map(({ url }) => url);
  const started: Neighbour[] = [];
  try {
    const alone = await Neighbour.start({ good: good.url, down: [], hanging: [] });
    started.push(alone);
    const beside = await Neighbour.start({ good: good.url, down: urls(down), hanging: urls(hanging) });
    started.push(beside);
    const values = { alone: [] as number[], beside: [] as number[] };
    for (let turn = 0; turn < TURNS; turn += 1) {
      const order = turn % 2 === 0 ? (['alone', 'beside'] as const) : (['beside', 'alone'] as const);
      for (const which of order) {
        const measured = await (which === 'alone' ? alone : beside).measure(WARMING_CALLS + CALLS_A_TURN);
        // Whoever waited for its turn has let its sockets go; the other one's traffic keeps them.
        values[which].push(...measured.slice(WARMING_CALLS));
      }
    }
    for (const value of values.alone) results.add('mcp', 'a call, its server alone', value);
    for (const value of values.beside)
      results.add('mcp', `a call, beside ${DOWN} servers down and ${DOWN} hanging`, value);
    for (const rank of [0.5, 0.95])
      results.add(
        'mcp',
        `beside them, as a multiple of alone, p${rank * 100}`,
        percentile(values.beside, rank) / percentile(values.alone, rank),
        'x',
      );
  } finally {
    await Promise.all(started.map((one) => one.stop()));
    await Promise.all([good, ...hanging].map((server) => server.close()));
  }
}

export async function measureMcp(results: Measurements): Promise<void> {
  await results.attempt('mcp', () => measureCall(results));
  await results.attempt('mcp', () => measureNeighbours(results));
  await results.attempt('mcp', () => measureFleet(results));
}
