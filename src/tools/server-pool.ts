import { FloorwalkerError } from '../errors.ts';
import type { Log } from '../log.ts';
import { createGuardedFetch, type GuardedFetch } from './guarded-fetch.ts';
import { InputSchemas } from './input-schema.ts';
import { OAuthFetch } from './oauth-fetch.ts';
import type { TokenStore } from './oauth-tokens.ts';
import { RepeatedLines } from './repeated-lines.ts';
import { Secrets } from './secrets.ts';
import type { ServerAddress } from './server-address.ts';
import { ServerConnection } from './server-connection.ts';
import type { ToolsConfig } from './types.ts';

const CONCURRENCY = 16;
const IDLE_MS = 300_000;
/** A person who is asked to authorise has to find their password first. */
export const CONSENT_LIMIT_MS = 600_000;

export interface ServerPoolDeps {
  readonly config: ToolsConfig;
  readonly log: Log;
  /** Where OAuth tokens are kept; without it a rotated refresh token lives as long as the process. */
  readonly tokens?: TokenStore | undefined;
  /** Asks a person to authorise this client at the address; gives what the browser brought back. Only where somebody is there. */
  readonly authorize?: ((url: URL) => Promise<URLSearchParams>) | undefined;
  /** The redirect address that belongs to `authorize`. */
  readonly redirectUrl?: string | undefined;
  /** Where this client describes itself, for authorization servers that take such an address as its id. */
  readonly clientMetadataUrl?: string | undefined;
}

/** A connection in use by one interaction. */
export interface ServerLease {
  readonly connection: ServerConnection;
  release(): void;
}

interface Shared {
  readonly connection: ServerConnection;
  users: number;
  idle: NodeJS.Timeout | undefined;
}

/**
 * The tool servers of a process: one connection for each server and identity of a business, opened when it is
 * first needed, kept warm between interactions, closed when nobody has used it for a while. Nothing is ever
 * shared between two businesses.
 */
export class ServerPool {
  readonly secrets: Secrets;
  readonly http: GuardedFetch;
  readonly schemas = new InputSchemas();
  readonly lines: RepeatedLines;
  readonly #deps: ServerPoolDeps;
  readonly #shared = new Map<string, Shared>();
  readonly #closing = new Set<Promise<void>>();
  #closed = false;

  constructor(deps: ServerPoolDeps) {
    this.#deps = deps;
    this.secrets = new Secrets(deps.config);
    this.http = createGuardedFetch({ allowPrivateAddresses: deps.config.allowPrivateAddresses });
    this.lines = new RepeatedLines(deps.log);
  }

  /** How many connections are there, for metrics and tests. */
  get size(): number {
    return this.#shared.size;
  }

  lease(
    address: ServerAddress,
    user: { businessId: string; interactionId: string; onChanged: () => void },
  ): ServerLease {
    if (this.#closed) throw new FloorwalkerError('tool_unavailable', 'The process ends.');
    const key = JSON.stringify([
      user.businessId,
      address.interactive ? user.interactionId : null,
      address.key,
    ]);
    const shared = this.#shared.get(key) ?? this.#open(key, address, user.businessId);
    shared.users += 1;
    clearTimeout(shared.idle);
    const stopListening = shared.connection.onChanged(user.onChanged);
    let isReleased = false;
    return {
      connection: shared.connection,
      release: () => {
        if (isReleased) return;
        isReleased = true;
        stopListening();
        shared.users -= 1;
        if (shared.users > 0) return;
        const idleMs = address.interactive ? 0 : (this.#deps.config.serverIdleMs ?? IDLE_MS);
        shared.idle = setTimeout(() => this.#end(key, shared), idleMs);
        shared.idle.unref();
      },
    };
  }

  /** Closes every connection; children of stdio servers have ended when it resolves. Safe to call twice. */
  async close(): Promise<void> {
    this.#closed = true;
    for (const [key, shared] of this.#shared) this.#end(key, shared);
    await Promise.allSettled(this.#closing);
    await this.http.close().catch(() => undefined);
  }

  #open(key: string, address: ServerAddress, businessId: string): Shared {
    const { config, log, tokens, authorize, redirectUrl, clientMetadataUrl } = this.#deps;
    const oauth =
      address.kind === 'http' && address.oauth !== undefined
        ? new OAuthFetch({
            oauth: address.oauth,
            url: address.request(this.secrets).url,
            businessId,
            secrets: this.secrets,
            fetch: this.http.fetch,
            tokens,
            authorize,
            redirectUrl,
            clientMetadataUrl,
          })
        : undefined;
    const connection = new ServerConnection(address, {
      log,
      lines: this.lines,
      secrets: this.secrets,
      http: this.http,
      oauth,
      connectLimitMs: authorize === undefined ? undefined : CONSENT_LIMIT_MS,
      concurrency: config.serverConcurrency ?? CONCURRENCY,
    });
    const shared = { connection, users: 0, idle: undefined };
    this.#shared.set(key, shared);
    return shared;
  }

  #end(key: string, shared: Shared): void {
    clearTimeout(shared.idle);
    if (this.#shared.get(key) === shared) this.#shared.delete(key);
    const closing = shared.connection.close();
    this.#closing.add(closing);
    void closing.finally(() => this.#closing.delete(closing));
  }
}
