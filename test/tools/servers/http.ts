import { randomUUID } from 'node:crypto';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { StreamableHTTPServerTransport } from '@modelcontextprotocol/sdk/server/streamableHttp.js';
import { type Behaviour, createShopServer } from './shop-tools.ts';

export interface HttpFixture extends Behaviour {
  readonly url: string;
  readonly port: number;
  readonly requests: IncomingMessage[];
  /** Answers instead of the MCP server, for statuses, redirects and REST. */
  intercept: ((request: IncomingMessage, response: ServerResponse, body: string) => boolean) | undefined;
  /** Changes a tool's description and announces it to who is connected. */
  describe(tool: string, description: string): void;
  /** Forgets all sessions, as a restarted server would. */
  forgetSessions(): void;
  breakConnections(): void;
  close(): Promise<void>;
}

/** The same tools over streamable HTTP, with sessions, on a free port of the loopback. */
export async function startHttpServer(mode = 'plain', port = 0): Promise<HttpFixture> {
  const sessions = new Map<string, StreamableHTTPServerTransport>();
  const descriptions = new Map<string, string>();
  const servers = new Set<ReturnType<typeof createShopServer>>();
  const fixture: Omit<HttpFixture, 'url' | 'port'> = {
    mode,
    calls: [],
    cancelled: 0,
    requests: [],
    intercept: undefined,
    describe: (tool, description) => {
      descriptions.set(tool, description);
      for (const open of servers) void open.sendToolListChanged();
    },
    descriptions,
    forgetSessions: () => sessions.clear(),
    breakConnections: () => server.closeAllConnections(),
    close: async () => {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
  const server = createServer(async (request, response) => {
    const chunks: Buffer[] = [];
    for await (const chunk of request) chunks.push(chunk as Buffer);
    const body = Buffer.concat(chunks).toString();
    fixture.requests.push(request);
    if (fixture.intercept?.(request, response, body)) return;
    const id = request.headers['mcp-session-id'];
    let transport = typeof id === 'string' ? sessions.get(id) : undefined;
    if (transport === undefined && id !== undefined) {
      response.writeHead(404, { 'content-type': 'application/json' }).end('{"error":"no such session"}');
      return;
    }
    if (transport === undefined) {
      const created = new StreamableHTTPServerTransport({
        sessionIdGenerator: () => randomUUID(),
        onsessioninitialized: (sessionId) => void sessions.set(sessionId, created),
      });
      transport = created;
      const shop = createShopServer(fixture);
      servers.add(shop);
      await shop.connect(created as never);
    }
    await transport.handleRequest(request, response, body === '' ? undefined : JSON.parse(body));
  });
  await new Promise<void>((resolve) => server.listen(port, '127.0.0.1', resolve));
  const address = server.address() as AddressInfo;
  return Object.assign(fixture, { port: address.port, url: `http://127.0.0.1:${address.port}/mcp` });
}
