import { createHmac } from 'node:crypto';

/**
 * A token of a server's own database role, for one business: with it the database lets a server call its own functions
 * for that business, and nothing else. Signed like Supabase's (HS256 with the project's JWT secret).
 */
export function makeAccessToken(given: {
  role: string;
  businessId: string;
  jwtSecret: string;
  nowMs: number;
  days: number;
}): string {
  const issuedAt = Math.floor(given.nowMs / 1_000);
  const part = (value: object) => Buffer.from(JSON.stringify(value)).toString('base64url');
  const body = `${part({ alg: 'HS256', typ: 'JWT' })}.${part({
    role: given.role,
    business_id: given.businessId,
    iat: issuedAt,
    exp: issuedAt + given.days * 86_400,
  })}`;
  return `${body}.${createHmac('sha256', given.jwtSecret).update(body).digest('base64url')}`;
}
