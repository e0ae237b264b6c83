import type { OpenAPIHono } from '@hono/zod-openapi';
import type { SupabaseClient } from '@supabase/supabase-js';
import type { ErrorCode } from '../errors.ts';
import type { Log } from '../log.ts';

/** The signed-in person behind a request, and a client that acts with that person's own token. */
export interface Person {
  readonly id: string;
  readonly businessId: string;
  readonly role: 'admin' | 'supervisor';
  readonly name: string;
  readonly db: SupabaseClient;
  readonly tokenExpiresAtMs: number;
}

/** What travels with one request. */
export interface ApiEnv {
  Variables: {
    requestId: string;
    log: Log;
    /** The client's address as limits see it, see client-address.ts. */
    address: string;
    errorCode: ErrorCode | undefined;
    person: Person;
  };
}

export type Api = OpenAPIHono<ApiEnv>;
