import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { FloorwalkerError } from '../../errors.ts';
import { CONSENT_LIMIT_MS } from '../../tools/server-pool.ts';
import type { Authorisation } from './agent.ts';

/** Waits on the loopback for the browser that comes back from the authorization server with its code. */
export async function listenForConsent(
  show: (url: URL) => void,
): Promise<Authorisation & { close(): Promise<void> }> {
  let expected: { state: string; resolve: (answer: URLSearchParams) => void } | undefined;
  const server = createServer((request, response) => {
    const url = new URL(request.url ?? '/', 'http://127.0.0.1');
    const answer = url.searchParams;
    // An answer that we did not ask for must not plant somebody else's grant.
    const isOurs = expected !== undefined && answer.get('state') === expected.state;
    response.writeHead(isOurs ? 200 : 400, { 'content-type': 'text/plain; charset=utf-8' });
    response.end(
      isOurs ? 'Received; the command says what became of it.' : 'This is no answer to a request of ours.',
    );
    if (isOurs) expected?.resolve(answer);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  return {
    redirectUrl: `http://127.0.0.1:${port}/callback`,
    authorize(url) {
      const { promise, resolve, reject } = Promise.withResolvers<URLSearchParams>();
      expected = { state: url.searchParams.get('state') ?? '', resolve };
      setTimeout(
        () => reject(new FloorwalkerError('tool_unavailable', 'Nobody consented.')),
        CONSENT_LIMIT_MS,
      ).unref();
      show(url);
      return promise;
    },
    close: async () => {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}
