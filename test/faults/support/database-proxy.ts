import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';

export interface HoldOptions {
  /** Name of the database function. */
  readonly call: string;
  /** `before`: the database never sees it; `after`: it is committed, and the answer is kept back. */
  readonly when: 'before' | 'after';
  /** Which calls of that function; all by default. */
  readonly matching?: string | RegExp;
}

export interface Hold {
  /** Resolves when a call is held. */
  readonly reached: Promise<void>;
  /** Lets it go on. `lost`: whoever asked is dead, and what was held on its way to the database never arrives. */
  release(lost?: 'lost'): void;
}

export interface DatabaseProxy {
  readonly url: string;
  /** The next call that fits stands still at this point until it is released. */
  hold(options: HoldOptions): Hold;
  /** Nothing gets through any more, as if the cable were pulled. */
  cut(): void;
  mend(): void;
  stop(): Promise<void>;
}

interface Waiting extends HoldOptions {
  readonly arrive: () => void;
  readonly released: Promise<'lost' | undefined>;
}

/** Stands between a worker and the database's REST server, to stop time before or after any commit. */
export async function setupDatabaseProxy(target: string): Promise<DatabaseProxy> {
  const waiting = new Set<Waiting>();
  let connected = true;

  const find = (path: string, body: string, when: 'before' | 'after'): Waiting | undefined => {
    for (const hold of waiting) {
      const fits = hold.matching === undefined || body.search(hold.matching) >= 0;
      if (hold.when !== when || !path.endsWith(`/rpc/${hold.call}`) || !fits) continue;
      waiting.delete(hold);
      return hold;
    }
    return undefined;
  };
  const pass = async (path: string, body: string, when: 'before' | 'after'): Promise<'lost' | undefined> => {
    const hold = find(path, body, when);
    hold?.arrive();
    return hold?.released;
  };

  const forward = async (incoming: IncomingMessage, outgoing: ServerResponse): Promise<void> => {
    const parts: Buffer[] = [];
    for await (const part of incoming) parts.push(Buffer.from(part));
    const body = Buffer.concat(parts);
    const path = incoming.url ?? '/';
    if (!connected) return void incoming.socket.destroy();
    const fate = await pass(path, body.toString('utf8'), 'before');
    if (fate === 'lost' || incoming.socket.destroyed || !connected) return void incoming.socket.destroy();
    const { host: _host, connection: _connection, 'content-length': _length, ...headers } = incoming.headers;
    const hasBody = incoming.method !== 'GET' && incoming.method !== 'HEAD';
    const answer = await fetch(`${target}${path}`, {
      method: incoming.method ?? 'GET',
      headers: Object.entries(headers).flatMap(([name, value]): [string, string][] =>
        typeof value === 'string' ? [[name, value]] : [],
      ),
      ...(hasBody ? { body } : {}),
    });
    const text = await answer.text();
    await pass(path, body.toString('utf8'), 'after');
    if (incoming.socket.destroyed || !connected) return;
    const kept = [...answer.headers].filter(([name]) => !/^(content-|transfer-|connection)/.test(name));
    outgoing.writeHead(answer.status, {
      ...Object.fromEntries(kept),
      'content-type': answer.headers.get('content-type') ?? 'application/json',
    });
    outgoing.end(text);
  };

  const server = createServer((incoming, outgoing) => {
    forward(incoming, outgoing).catch(() => outgoing.destroy());
  });
  server.keepAliveTimeout = 60_000;
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  return {
    url: `http://127.0.0.1:${port}`,
    hold(options) {
      const reached = Promise.withResolvers<void>();
      const released = Promise.withResolvers<'lost' | undefined>();
      const hold = { ...options, arrive: () => reached.resolve(), released: released.promise };
      waiting.add(hold);
      return {
        reached: reached.promise,
        release: (lost) => {
          waiting.delete(hold);
          released.resolve(lost);
        },
      };
    },
    cut() {
      connected = false;
      server.closeAllConnections();
    },
    mend() {
      connected = true;
    },
    stop: () =>
      new Promise((resolve) => {
        server.closeAllConnections();
        server.close(() => resolve());
      }),
  };
}
