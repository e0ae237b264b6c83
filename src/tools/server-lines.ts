import type { LoggingMessageNotification } from '@modelcontextprotocol/sdk/types.js';
import type { Log } from '../log.ts';
import type { RepeatedLines } from './repeated-lines.ts';
import type { Secrets } from './secrets.ts';

/** What the log says about one tool server: each kind of trouble once in a while, and no secrets. */
export class ServerLines {
  readonly #server: string;
  readonly #deps: { readonly log: Log; readonly lines: RepeatedLines; readonly secrets: Secrets };

  constructor(server: string, deps: { log: Log; lines: RepeatedLines; secrets: Secrets }) {
    this.#server = server;
    this.#deps = deps;
  }

  write(level: 'info' | 'warn', key: string, fields: object, message: string): void {
    this.#deps.lines.write(level, `${this.#server} ${key}`, { server: this.#server, ...fields }, message);
  }

  /** The trouble is over: the next time is news again. */
  over(key: string, message: string): void {
    this.#deps.lines.forget(`${this.#server} ${key}`);
    this.#deps.log.info({ server: this.#server }, message);
  }

  /** What a server writes through the protocol's own logging. */
  relay({ level, logger, data }: LoggingMessageNotification['params']): void {
    const words = typeof data === 'string' ? data : JSON.stringify(data ?? null);
    const line = this.#deps.secrets.scrub(words.slice(0, 500));
    // What a server writes about its own work may be about a customer: for debugging only.
    this.#deps.log.debug({ server: this.#server, serverLevel: level, logger, line }, 'A tool server logs');
    this.write('info', `log ${level}`, { serverLevel: level }, 'A tool server reports trouble of its own');
  }
}
