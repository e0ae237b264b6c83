import { type AddressInfo, connect, createServer, type Socket } from 'node:net';

export interface Gateway {
  /** The address to use in the place of the real one. */
  readonly url: string;
  /** Nobody answers at the port any more, and open connections break. */
  close(): Promise<void>;
  /** Connections are taken and nothing comes back, as with a network that swallows packets. */
  stall(): void;
  /** Everything passes again; what was stalled is broken off. */
  open(): Promise<void>;
  stop(): Promise<void>;
}

/** A place in front of a server where a test can cut it off. */
export async function setupGateway(upstream: string): Promise<Gateway> {
  const target = new URL(upstream);
  const pairs = new Set<readonly [Socket, Socket | undefined]>();
  let stalled = false;
  let port = 0;

  const server = createServer((client) => {
    const onward = stalled ? undefined : connect(Number(target.port), target.hostname);
    const pair = [client, onward] as const;
    pairs.add(pair);
    const end = () => {
      pairs.delete(pair);
      client.destroy();
      onward?.destroy();
    };
    for (const side of [client, onward]) side?.on('error', end).on('close', end);
    if (!onward) return;
    client.on('data', (bytes) => stalled || onward.write(bytes));
    onward.on('data', (bytes) => stalled || client.write(bytes));
  });
  const listen = () =>
    new Promise<void>((resolve, reject) => {
      server.once('error', reject);
      server.listen(port, '127.0.0.1', () => {
        server.off('error', reject);
        resolve();
      });
    });
  const cut = () => {
    for (const [client, onward] of [...pairs]) {
      client.destroy();
      onward?.destroy();
    }
  };
  await listen();
  port = (server.address() as AddressInfo).port;
  const close = async () => {
    if (!server.listening) return cut();
    const closed = new Promise<void>((resolve) => server.close(() => resolve()));
    cut();
    await closed;
  };
  return {
    url: `${target.protocol}//127.0.0.1:${port}`,
    close,
    stall() {
      stalled = true;
    },
    async open() {
      if (stalled) cut();
      stalled = false;
      if (!server.listening) await listen();
    },
    stop: close,
  };
}
