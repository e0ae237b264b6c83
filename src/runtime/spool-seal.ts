import { createCipheriv, createDecipheriv, hkdfSync, randomBytes } from 'node:crypto';

/** What all workers of a deployment know, and nobody else. */
export interface SpoolSecret {
  /** The server's key of the database: whoever has it can read all that is sealed with it there as well. */
  readonly secretKey: string;
  /** The database's address: two deployments on one machine may have the same key. */
  readonly url: string;
}

const CIPHER = 'aes-256-gcm';
const KEY_BYTES = 32;
const IV_BYTES = 12;
const TAG_BYTES = 16;
const PURPOSE = 'floorwalker spool 1';

export interface Seal {
  /** A line of text. */
  seal(value: unknown): string;
  /** Undefined for a line that was cut off, or that was sealed with another key. */
  open(line: string): unknown;
}

/** The seal of one folder: HKDF-SHA256 of the deployment's secret, with a salt that is the folder's own. */
export function deriveSeal({ secretKey, url }: SpoolSecret, salt: Buffer): Seal {
  const key = Buffer.from(hkdfSync('sha256', secretKey, salt, `${PURPOSE}\n${url}`, KEY_BYTES));
  return {
    seal(value) {
      const iv = randomBytes(IV_BYTES);
      const cipher = createCipheriv(CIPHER, key, iv);
      const text = Buffer.concat([cipher.update(JSON.stringify(value), 'utf8'), cipher.final()]);
      return Buffer.concat([iv, cipher.getAuthTag(), text]).toString('base64url');
    },
    open(line) {
      try {
        const sealed = Buffer.from(line, 'base64url');
        const decipher = createDecipheriv(CIPHER, key, sealed.subarray(0, IV_BYTES));
        decipher.setAuthTag(sealed.subarray(IV_BYTES, IV_BYTES + TAG_BYTES));
        const text = [decipher.update(sealed.subarray(IV_BYTES + TAG_BYTES)), decipher.final()];
        return JSON.parse(Buffer.concat(text).toString('utf8'));
      } catch {
        return undefined;
      }
    },
  };
}
