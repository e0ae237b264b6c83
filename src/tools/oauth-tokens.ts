import { createCipheriv, createDecipheriv, createHash, randomBytes } from 'node:crypto';
import { z } from 'zod';
import { FloorwalkerError } from '../errors.ts';

/** What is kept about one server of one business. Fields beyond these are the authorization server's own. */
const storedSchema = z.object({
  client: z.looseObject({ client_id: z.string() }).optional(),
  tokens: z.looseObject({ access_token: z.string(), token_type: z.string() }).optional(),
});
export type StoredAuthorisation = z.output<typeof storedSchema>;

export interface TokenKey {
  readonly businessId: string;
  /** Hash of the server's address and the client's settings. */
  readonly server: string;
}

export interface StoredTokens {
  readonly version: number;
  readonly authorisation: StoredAuthorisation;
}

/** Where tokens are kept between processes. */
export interface TokenStore {
  load(key: TokenKey): Promise<StoredTokens | undefined>;
  /** Saves over `version` (0: nothing there yet). @returns the new version, or undefined when somebody was faster */
  save(key: TokenKey, authorisation: StoredAuthorisation, version: number): Promise<number | undefined>;
}

/** The rows under the store: they see sealed text only. */
export interface SealedTokenRows {
  load(key: TokenKey): Promise<{ sealed: string; version: number } | undefined>;
  save(key: TokenKey, sealed: string, version: number): Promise<number | undefined>;
}

/** @param keys the first seals, all of them open, so that a key can be replaced while workers run */
export function createTokenStore(rows: SealedTokenRows, keys: readonly string[]): TokenStore {
  const derived = keys.map((key) => createHash('sha256').update(`floorwalker tokens ${key}`).digest());
  return {
    async load(key) {
      const row = await rows.load(key);
      if (row === undefined) return undefined;
      const parsed = storedSchema.parse(JSON.parse(unseal(row.sealed, derived, key)));
      return { version: row.version, authorisation: parsed };
    },
    save: (key, authorisation, version) => rows.save(key, seal(authorisation, derived, key), version),
  };
}

const FORM = 'v1';
const IV_BYTES = 12;

/** AES-256-GCM, bound to its row: a sealed text that is put into another business's row does not open. */
function seal(value: StoredAuthorisation, [key]: readonly Buffer[], bound: TokenKey): string {
  if (key === undefined) throw noKey();
  const iv = randomBytes(IV_BYTES);
  const cipher = createCipheriv('aes-256-gcm', key, iv).setAAD(boundTo(bound));
  const data = Buffer.concat([cipher.update(JSON.stringify(value), 'utf8'), cipher.final()]);
  return [FORM, ...[iv, cipher.getAuthTag(), data].map((part) => part.toString('base64url'))].join('.');
}

function unseal(sealed: string, keys: readonly Buffer[], bound: TokenKey): string {
  if (keys.length === 0) throw noKey();
  const [form, ...parts] = sealed.split('.');
  const [iv, tag, data] = parts.map((part) => Buffer.from(part, 'base64url'));
  if (form === FORM && iv !== undefined && tag !== undefined && data !== undefined) {
    for (const key of keys) {
      try {
        const decipher = createDecipheriv('aes-256-gcm', key, iv).setAAD(boundTo(bound));
        decipher.setAuthTag(tag);
        return Buffer.concat([decipher.update(data), decipher.final()]).toString('utf8');
      } catch {
        // Sealed with another of the keys, or not by us.
      }
    }
  }
  throw new FloorwalkerError('tool_unavailable', 'The stored authorisation can not be opened.', {
    remedy: 'Keep the former value of TOOL_TOKEN_KEY in the list, or authorise again.',
  });
}

function boundTo({ businessId, server }: TokenKey): Buffer {
  return Buffer.from(JSON.stringify([businessId, server]));
}

function noKey(): FloorwalkerError {
  return new FloorwalkerError('tool_unavailable', 'Tokens can not be stored without a key.', {
    remedy: 'Set TOOL_TOKEN_KEY to a long random value, the same for all workers.',
  });
}
