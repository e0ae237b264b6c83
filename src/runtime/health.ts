import { once } from 'node:events';
import { createServer } from 'node:http';

/**
 * `GET /` is 200 while `isHealthy` and 503 otherwise, as the framework's own worker answers; for one that runs without
 * it, because no conversation has a process to itself. Resolves when it listens; the result closes it.
 */
export async function serveHealth(options: {
  readonly host: string;
  readonly port: number;
  isHealthy(): boolean;
}): Promise<() => void> {
  const server = createServer(({ url }, response) => {
    const status = url === '/' ? (options.isHealthy() ? 200 : 503) : 404;
    response.writeHead(status).end(status === 200 ? 'OK' : 'not connected to livekit');
  });
  server.listen(options.port, options.host);
  await once(server, 'listening');
  return () => {
    server.close();
    server.closeAllConnections();
  };
}
