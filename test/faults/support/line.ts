import { type AddressInfo, connect, createServer, type Socket } from 'node:net';

export interface Line {
  readonly port: number;
  /** Open connections end, and new ones are refused. */
  cut(): void;
  mend(): void;
  /** Open connections stay, and nothing comes through any more. */
  hold(): void;
  stop(): Promise<void>;
}

/** A cable between a worker and LiveKit's signalling, which a test can pull. */
export async function setupLine(targetPort: number): Promise<Line> {
  const open = new Set<Socket>();
  let connected = true;
  const server = createServer((near) => {
    if (!connected) return void near.destroy();
    const far = connect(targetPort, '127.0.0.1');
    for (const [one, other] of [
      [near, far],
      [far, near],
    ] as const) {
      open.add(one);
      one.on('error', () => other.destroy());
      one.on('close', () => {
        open.delete(one);
        other.destroy();
      });
      one.pipe(other);
    }
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const hangUp = (): void => {
    for (const socket of open) socket.destroy();
  };
  return {
    port: (server.address() as AddressInfo).port,
    cut() {
      connected = false;
      hangUp();
    },
    mend() {
      connected = true;
    },
    hold() {
      for (const socket of open) {
        socket.unpipe();
        socket.pause();
      }
    },
    stop: () =>
      new Promise((resolve) => {
        connected = false;
        hangUp();
        server.close(() => resolve());
      }),
  };
}
