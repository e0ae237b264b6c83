import { createServer, type IncomingHttpHeaders } from 'node:http';
import type { AddressInfo } from 'node:net';
import { describe, expect, onTestFinished, test } from 'vitest';
import { openCatalogue } from '../../src/tools/catalogue.ts';
import type { CallHost } from '../../src/tools/types.ts';
import { NOBODY, recordingLog, row, run, toolsConfig, until } from './support.ts';

interface Seen {
  method: string;
  params: Record<string, unknown>;
  headers: IncomingHttpHeaders;
}

const TOOLS = [
  {
    name: 'look',
    inputSchema: {
      type: 'object',
      properties: { region: { type: 'string', 'x-mcp-header': 'Region' }, note: { type: 'string' } },
    },
  },
  { name: 'book', inputSchema: { type: 'object' } },
  { name: 'hang', inputSchema: { type: 'object' } },
  {
    name: 'smuggles',
    inputSchema: { type: 'object', properties: { a: { type: 'string', 'x-mcp-header': 'A\r\nHost' } } },
  },
];

/** A server of revision 2026-07-28: no handshake, no session. */
async function startServer(options: { asStream?: boolean } = {}) {
  const seen: Seen[] = [];
  let left = 0;
  const server = createServer(async (request, response) => {
    const chunks: Buffer[] = [];
    for await (const chunk of request) chunks.push(chunk as Buffer);
    const refuse = (status: number) =>
      response.writeHead(status, { 'content-type': 'application/json' }).end('{}');
    if (request.method !== 'POST') return refuse(405);
    const { id, method, params = {} } = JSON.parse(Buffer.concat(chunks).toString());
    seen.push({ method, params, headers: request.headers });
    if (request.headers['mcp-protocol-version'] !== '2026-07-28') return refuse(400);
    const answer = (result: object) => {
      const text = JSON.stringify({ jsonrpc: '2.0', id, result: { resultType: 'complete', ...result } });
      response.writeHead(200, {
        'content-type': options.asStream ? 'text/event-stream' : 'application/json',
      });
      response.end(options.asStream ? `event: message\ndata: ${text}\n\n` : text);
    };
    if (method === 'server/discover')
      return answer({ capabilities: { tools: { listChanged: true } }, supportedVersions: ['2026-07-28'] });
    if (method === 'tools/list') return answer({ tools: TOOLS });
    if (params.name === 'hang') {
      response.on('close', () => {
        left += 1;
      });
      return;
    }
    const said = (text: string) => answer({ content: [{ type: 'text', text }] });
    if (params.name !== 'book') return said('looked');
    if (params.inputResponses !== undefined)
      return said(`${JSON.stringify(params.inputResponses)} with ${String(params.requestState)}`);
    return answer({
      resultType: 'input_required',
      requestState: 'half-way',
      inputRequests: {
        day: {
          method: 'elicitation/create',
          params: {
            message: 'Which day?',
            requestedSchema: { type: 'object', properties: { day: { type: 'string' } } },
          },
        },
      },
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  onTestFinished(async () => {
    server.closeAllConnections();
    await new Promise((resolve) => server.close(resolve));
  });
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/mcp`;
  return { url, seen, left: () => left };
}

async function open(url: string, extra: object = {}, host: CallHost = {}) {
  const { log } = recordingLog();
  const catalogue = await openCatalogue(
    [row('s', { transport: 'http', endpoint: url, expand: true, ...extra })],
    {
      config: toolsConfig(),
      log,
      identity: NOBODY,
      host,
      onStep: () => undefined,
      connectTimeoutMs: 20_000,
    },
  );
  onTestFinished(() => catalogue.close());
  return catalogue;
}
const REVISION = { revision: '2026-07-28' };

describe('a server of revision 2026-07-28', () => {
  test('is asked without a handshake, and each request says who asks and for what', async () => {
    const { url, seen } = await startServer();
    const catalogue = await open(url, REVISION);
    const result = await run(catalogue, 's_look', { region: 'Köln', note: 'x' });
    expect(result.output).toBe('looked');
    expect(seen.map(({ method }) => method)).not.toContain('initialize');
    for (const { method, params, headers } of seen) {
      expect(headers['mcp-method']).toBe(method);
      expect(headers['mcp-session-id']).toBeUndefined();
      expect(params._meta).toMatchObject({
        'io.modelcontextprotocol/protocolVersion': '2026-07-28',
        'io.modelcontextprotocol/clientInfo': { name: 'floorwalker' },
        'io.modelcontextprotocol/clientCapabilities': { elicitation: {} },
      });
    }
    const call = seen.at(-1);
    expect(call?.headers['mcp-name']).toBe('look');
    expect(call?.headers['mcp-param-region']).toBe(`=?base64?${Buffer.from('Köln').toString('base64')}?=`);
    expect(Object.keys(call?.headers ?? {}).filter((name) => name.startsWith('mcp-param-'))).toHaveLength(1);
    expect(call?.params._meta).toHaveProperty('floorwalker/idempotency-key');
  });

  test('is found out where the row does not say so', async () => {
    const { url, seen } = await startServer();
    const catalogue = await open(url);
    expect((await run(catalogue, 's_look', {})).output).toBe('looked');
    expect(seen[0]?.method).toBe('initialize');
  });

  test('loses a tool that wants a header which the protocol does not allow, and keeps the others', async () => {
    const { url } = await startServer();
    const names = (await open(url, REVISION)).definitions.map(({ name }) => name);
    expect(names).toEqual(['s_look', 's_book', 's_hang']);
  });

  test.each([false, true])(
    'asks the customer in the middle of a call (as a stream: %s)',
    async (asStream) => {
      const { url, seen } = await startServer({ asStream });
      const asked: string[] = [];
      const host: CallHost = {
        ask: async (_callId, { message }) => {
          asked.push(message);
          // People think; the stream that brought the question ended long before.
          await new Promise((resolve) => setTimeout(resolve, 500));
          return { action: 'accept', content: { day: 'friday' } };
        },
      };
      const result = await run(await open(url, REVISION, host), 's_book', {});
      expect(result.output).toBe('{"day":{"action":"accept","content":{"day":"friday"}}} with half-way');
      expect(asked).toEqual(['Which day?']);
      expect(seen.filter(({ method }) => method === 'tools/call')).toHaveLength(2);
    },
  );

  test('is told by the end of the stream that nobody waits any more', async () => {
    const { url, seen, left } = await startServer();
    const stop = new AbortController();
    const running = run(await open(url, REVISION), 's_hang', {}, stop.signal);
    await until(() => seen.some(({ params }) => params.name === 'hang'), 'the call is under way');
    stop.abort(new Error('the customer left'));
    expect((await running).status).toBe('unknown');
    await until(() => left() === 1, 'the request was left');
  });
});
