import { createHash, timingSafeEqual } from 'node:crypto';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { McpServer } from '@modelcontextprotocol/sdk/server/mcp.js';
import { StreamableHTTPServerTransport } from '@modelcontextprotocol/sdk/server/streamableHttp.js';

const MAX_BODY_BYTES = 1024 * 1024;
const LOOPBACK = new Set(['127.0.0.1', '::1', 'localhost']);

export interface HttpOptions {
  readonly host: string;
  readonly port: number;
  readonly token: string | undefined;
  /** What to say, and to do, when it should listen beyond the loopback without a token. */
  readonly withoutToken: string;
  createServer(): McpServer;
}

export interface RunningHttp {
  readonly url: string;
  close(): Promise<void>;
}

/**
 * Serves MCP over streamable HTTP at `/mcp`, without sessions: each request stands alone, so any number of
 * copies may run behind a load balancer. @throws Error beyond the loopback without a token
 */
export async function serveHttp(options: HttpOptions): Promise<RunningHttp> {
  const { host, port, token } = options;
  if (!LOOPBACK.has(host) && token === undefined) {
    throw new Error(options.withoutToken);
  }
  const server = createServer((request, response) => {
    handle(request, response, options).catch(() => {
      if (!response.headersSent) response.writeHead(500).end();
    });
  });
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen(port, host, resolve);
  });
  const address = server.address() as AddressInfo;
  const shownHost = host.includes(':') ? `[${host}]` : host;
  return { url: `http://${shownHost}:${address.port}/mcp`, close: () => close(server) };
}

async function handle(
  request: IncomingMessage,
  response: ServerResponse,
  options: HttpOptions,
): Promise<void> {
  const { pathname } = new URL(request.url ?? '/', 'http://localhost');
  if (pathname === '/healthz') return void response.writeHead(200).end('ok');
  if (pathname !== '/mcp') return void response.writeHead(404).end();
  if (!isAllowed(request, options))
    return void response.writeHead(401, { 'www-authenticate': 'Bearer' }).end();
  if (request.method !== 'POST') return void response.writeHead(405, { allow: 'POST' }).end();
  const body = await readBody(request);
  if (body === undefined) return void response.writeHead(413).end();
  const mcp = options.createServer();
  const transport = new StreamableHTTPServerTransport({ enableJsonResponse: true });
  response.on('close', () => {
    void transport.close();
    void mcp.close();
  });
  // The declared types of class and interface differ under exactOptionalPropertyTypes only.
  await mcp.connect(transport as Parameters<McpServer['connect']>[0]);
  await transport.handleRequest(request, response, parse(body));
}

/** With a token, the token. Without one, only a caller that means the loopback: a page can't rebind its name to us. */
function isAllowed(request: IncomingMessage, { token }: HttpOptions): boolean {
  if (token === undefined) {
    const { hostname } = new URL(`http://${request.headers.host ?? ''}`);
    return LOOPBACK.has(hostname.replace(/^\[|\]$/g, '')) && request.headers.origin === undefined;
  }
  const digest = (text: string) => createHash('sha256').update(text).digest();
  return timingSafeEqual(digest(request.headers.authorization ?? ''), digest(`Bearer ${token}`));
}

async function readBody(request: IncomingMessage): Promise<string | undefined> {
  const chunks: Buffer[] = [];
  let bytes = 0;
  for await (const chunk of request) {
    bytes += (chunk as Buffer).byteLength;
    if (bytes > MAX_BODY_BYTES) return undefined;
    chunks.push(chunk as Buffer);
  }
  return Buffer.concat(chunks).toString('utf8');
}

/** What is no JSON goes on as it is: the transport answers it with the protocol's parse error. */
function parse(body: string): unknown {
  try {
    return JSON.parse(body);
  } catch {
    return body;
  }
}

async function close(server: Server): Promise<void> {
  const closed = new Promise<void>((resolve) => {
    server.close(() => resolve());
  });
  server.closeAllConnections();
  await closed;
}
