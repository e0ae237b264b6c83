import { readFileSync } from 'node:fs';
import { connect, createServer } from 'node:net';
import { hostname } from 'node:os';

/**
 * Whether the process that writes a file still lives. A process id says nothing about that where containers share a
 * folder, each with ids of its own, and ids are given again; so each process listens on a socket beside its file. The
 * system closes it with the process, however that ends, and not while the process is only stopped.
 */
export type Life = 'alive' | 'dead' | 'unknown';

/** Longer addresses are cut off by the system, and would name another socket. */
const LONGEST_ADDRESS = 100;
const ANSWER_MS = 5_000;

/** Listens for as long as this process lives. Without it, its folder's age is what tells. */
export function showLife(address: string): void {
  if (Buffer.byteLength(address) > LONGEST_ADDRESS) return;
  const server = createServer((socket) => socket.on('error', () => {}).destroy());
  // A file system that has no sockets, as some shared volumes.
  server.on('error', () => {});
  server.listen(address);
  server.unref();
}

export function lookForLife(address: string): Promise<Life> {
  if (Buffer.byteLength(address) > LONGEST_ADDRESS) return Promise.resolve('unknown');
  return new Promise((resolve) => {
    const socket = connect(address);
    const done = (life: Life): void => {
      socket.destroy();
      resolve(life);
    };
    socket.setTimeout(ANSWER_MS, () => done('unknown'));
    socket.once('connect', () => done('alive'));
    socket.once('error', (err: NodeJS.ErrnoException) =>
      done(err.code === 'ECONNREFUSED' ? 'dead' : 'unknown'),
    );
  });
}

/** The running system: nobody answers at a socket of another one, dead or alive. */
export function thisMachine(): string {
  try {
    return readFileSync('/proc/sys/kernel/random/boot_id', 'utf8').trim();
  } catch {
    return hostname();
  }
}
