import { subscribe, unsubscribe } from 'node:diagnostics_channel';
import { Socket } from 'node:net';

/** Node.js tells there of each connection that is taken. */
const CHANNEL = 'net.server.socket';

/**
 * The connections that a port of this process has taken. The framework's server shows none of its own, and closes only
 * when the last of them is gone, also one that never asks anything.
 */
export class PortConnections {
  readonly #port: number;
  readonly #open = new Set<Socket>();
  #ended = false;
  readonly #note = (message: unknown): void => {
    if (!(message instanceof Object) || !('socket' in message)) return;
    const { socket } = message;
    if (!(socket instanceof Socket) || socket.localPort !== this.#port) return;
    if (this.#ended) return void socket.destroy();
    this.#open.add(socket);
    socket.once('close', () => this.#open.delete(socket));
  };

  constructor(port: number) {
    this.#port = port;
    subscribe(CHANNEL, this.#note);
  }

  /** Hangs up on everybody, and on whoever comes from now on. */
  end(): void {
    this.#ended = true;
    for (const socket of this.#open) socket.destroy();
  }

  close(): void {
    unsubscribe(CHANNEL, this.#note);
  }
}
