import { createHash, randomBytes } from 'node:crypto';

/** 256 random bits; the customer's only proof that an interaction is theirs. Never stored or logged. */
export function newResumeToken(): string {
  return randomBytes(32).toString('base64url');
}

/**
 * SHA-256 as lower-case hex: what the database stores and compares. A plain hash is enough, because the token
 * is random and long; there is nothing to guess that salting or stretching would slow down.
 */
export function hashResumeToken(token: string): string {
  return createHash('sha256').update(token).digest('hex');
}
