import { FloorwalkerError } from '../errors.ts';
import type { ToolsConfig } from './types.ts';

const PLACEHOLDER = /\$\{secret:([A-Z0-9_]+)\}/g;
/** Shorter values would be found by chance in results and make them unreadable. */
const SHORTEST_SCRUBBED = 4;
const MAX_REMEMBERED = 3_000;
/** In TOOL_SECRET_<NAME>_HOSTS, allows the secret in the environment of inline stdio servers. */
const INLINE_STDIO = 'stdio';

export function namesSecret(text: string): boolean {
  return text.includes(`\${secret:`);
}

/**
 * Fills `${secret:NAME}` at the last moment, only for hosts that the operator listed, and takes the values
 * out of everything that comes back. Nothing else of the environment can be named.
 */
export class Secrets {
  readonly #config: Pick<ToolsConfig, 'secret' | 'secretHosts'>;
  readonly #used = new Map<string, string>();

  constructor(config: Pick<ToolsConfig, 'secret' | 'secretHosts'>) {
    this.#config = config;
  }

  /** @throws FloorwalkerError `tool_secret_refused` */
  forUrl(text: string, url: URL, encode: (value: string) => string = (value) => value): string {
    return this.#fill(text, encode, (name) => {
      if (url.protocol !== 'https:' && !isLoopback(url.hostname)) {
        throw refusal(name, 'is not sent over plain http');
      }
      const hosts = this.#config.secretHosts(name).map((host) => host.toLowerCase());
      if (!hosts.includes(url.hostname) && !hosts.includes(url.host))
        throw refusal(name, `is not allowed for ${url.host}`);
    });
  }

  /** For the environment of a program that the operator defined, who wrote both. */
  forOperatorServer(text: string): string {
    return this.#fill(text, String, () => undefined);
  }

  /** For the environment of a command that a row brings: only secrets meant for that. */
  forInlineServer(text: string): string {
    return this.#fill(text, String, (name) => {
      if (!this.#config.secretHosts(name).includes(INLINE_STDIO))
        throw refusal(name, 'is not allowed for inline stdio servers');
    });
  }

  /** Takes every secret used so far out of a text, plain or encoded. */
  scrub(text: string): string {
    let clean = text;
    for (const [value, name] of this.#used) clean = clean.replaceAll(value, `[secret ${name}]`);
    return clean;
  }

  #fill(text: string, encode: (value: string) => string, check: (name: string) => void): string {
    const filled = text.replace(PLACEHOLDER, (_match, name: string) => {
      check(name);
      const value = this.#config.secret(name);
      if (value === undefined || value === '') throw refusal(name, 'is not set');
      this.remember(name, value);
      return encode(value);
    });
    if (namesSecret(filled.replace(PLACEHOLDER, ''))) {
      throw new FloorwalkerError(
        'tool_secret_refused',
        `A secret is written as \${secret:NAME} with NAME in capitals, digits and underscores.`,
      );
    }
    return filled;
  }

  /** A value that came to be known at run time (a token), for `scrub`. */
  remember(name: string, value: string): void {
    const buffer = Buffer.from(value);
    const json = JSON.stringify(value).slice(1, -1);
    const forms = [
      value,
      json,
      encodeURIComponent(value),
      buffer.toString('base64'),
      buffer.toString('base64url'),
      buffer.toString('hex'),
    ];
    for (const form of forms) if (form.length >= SHORTEST_SCRUBBED) this.#used.set(form, name);
    // Tokens come and go for as long as the process lives; the oldest are void.
    for (const oldest of this.#used.keys()) {
      if (this.#used.size <= MAX_REMEMBERED) break;
      this.#used.delete(oldest);
    }
  }
}

function isLoopback(hostname: string): boolean {
  return hostname === 'localhost' || hostname === '[::1]' || /^127\./.test(hostname);
}

function refusal(name: string, why: string): FloorwalkerError {
  return new FloorwalkerError('tool_secret_refused', `The secret ${name} ${why}.`, {
    remedy: `Set TOOL_SECRET_${name}, and list where it may be sent in TOOL_SECRET_${name}_HOSTS.`,
  });
}
