import { createPostgresConnection, type PostgresConnection } from '@supabase/lite/postgres';
import type { Sql } from 'postgres';

/**
 * Everything that `@supabase/lite` 0.10.0 does otherwise than Supabase and that we can put right from outside.
 * Each has a test in `test/embedded/supabase-workarounds.test.ts` that also runs without it: when that part fails,
 * the package has been mended and the work-around can go.
 */

export interface Workarounds {
  /** A failed CHECK and `raise exception` are answered as 500 with code "SUP" instead of 400 with their own code. */
  readonly errorCodes: boolean;
  /** jsonb arguments of functions are encoded twice and arrive as one JSON string. */
  readonly jsonArguments: boolean;
  /** numeric is returned as text when it is not written as JavaScript would ("0.50"), timestamptz not as ISO 8601. */
  readonly valueFormats: boolean;
  /** As soon as one table has row level security, everything in its schema is granted to everyone again. */
  readonly noRegrants: boolean;
}

const ALL: Workarounds = { errorCodes: true, jsonArguments: true, valueFormats: true, noRegrants: true };

interface JsonType {
  to: number;
  from: number[];
  serialize: (value: unknown) => unknown;
  parse: (text: string) => unknown;
}

/** What arrives as text has been encoded by the caller; encoding it again would make a JSON string of it. */
function jsonType(oid: number): JsonType {
  return {
    to: oid,
    from: [oid],
    serialize: (value) => (typeof value === 'string' ? value : JSON.stringify(value)),
    parse: (text) => JSON.parse(text),
  };
}

const JSON_TYPES = { json: jsonType(114), jsonb: jsonType(3802) };

const VALUE_TYPES = {
  numeric: {
    to: 1700,
    from: [1700],
    serialize: (value: unknown) => String(value),
    parse: (text: string) => Number(text),
  },
  timestamptz: {
    to: 1184,
    from: [1184],
    serialize: (value: unknown) => value,
    // "2026-01-02 03:04:05.6+00" → "2026-01-02T03:04:05.6+00:00", as PostgREST has it.
    parse: (text: string) => text.replace(' ', 'T').replace(/([+-]\d\d)$/, '$1:00'),
  },
};

/** Codes and classes of SQLSTATE that the package answers as PostgREST does. */
const HANDLED = /^(PGRST|PT|22|21|23502|23503|23505|25006|42|53|55)/;

const STATUS_BY_CLASS: Readonly<Record<string, number>> = {
  '08': 503,
  '09': 500,
  '0L': 403,
  '0P': 403,
  '25': 500,
  '28': 403,
  '2D': 500,
  '38': 500,
  '39': 500,
  '3B': 500,
  '40': 500,
  '54': 500,
  '57': 500,
  '58': 500,
  F0: 500,
  HV: 500,
  XX: 500,
};

/** How the client of PostgreSQL says that there is no connection, or no more of it. */
const NO_CONNECTION = /^(CONNECTION_(CLOSED|ENDED|DESTROYED)|CONNECT_TIMEOUT|ECONN[A-Z]+|EPIPE|ETIMEDOUT)$/;

/**
 * Restates an error as the one kind whose code, message and status the package passes through: `RAISE SQLSTATE
 * 'PGRST'`. Statuses are PostgREST's (https://docs.postgrest.org/en/stable/references/errors.html).
 */
function restate(error: unknown): unknown {
  if (typeof error !== 'object' || error === null || !('code' in error)) return error;
  const { code } = error;
  if (typeof code !== 'string') return error;
  if (NO_CONNECTION.test(code)) {
    const message = { code: 'PGRST001', message: 'Database client error.', details: code, hint: null };
    const detail = { status: 503, headers: {} };
    return { code: 'PGRST', message: JSON.stringify(message), detail: JSON.stringify(detail) };
  }
  if (!/^[0-9A-Z]{5}$/.test(code) || HANDLED.test(code)) return error;
  const text = (key: string): string | null => {
    const value: unknown = Reflect.get(error, key);
    return typeof value === 'string' ? value : null;
  };
  const message = JSON.stringify({
    code,
    message: text('message') ?? '',
    details: text('detail'),
    hint: text('hint'),
  });
  const status = STATUS_BY_CLASS[code.slice(0, 2)] ?? 400;
  return { code: 'PGRST', message, detail: JSON.stringify({ status, headers: {} }) };
}

/** The package's connection, put right. */
export function connect(url: string, options: Partial<Workarounds> = {}): PostgresConnection {
  const on = { ...ALL, ...options };
  const connection = createPostgresConnection({
    url,
    postgresOptions: {
      max: 10,
      onnotice: () => {},
      types: { ...(on.jsonArguments ? JSON_TYPES : {}), ...(on.valueFormats ? VALUE_TYPES : {}) },
    },
  });
  if (on.errorCodes) connection.normalizeDbError = restate;
  // The private field that remembers whether the grants were made. "active" also makes it set the caller's role,
  // which is what we want from the first request on.
  if (on.noRegrants) Reflect.set(connection, 'rlsState', 'active');
  return connection;
}

/**
 * The roles and rights that a new Supabase project has. Without the usage of `auth`, policies that call
 * `auth.uid()` fail with "permission denied for schema auth".
 */
export async function grantLikeSupabase(sql: Sql, options: { authUsage?: boolean } = {}): Promise<void> {
  await sql.unsafe(`
    do $$ begin
      -- Roles belong to the whole cluster: two databases may be prepared at once.
      begin create role anon nologin noinherit; exception when duplicate_object or unique_violation then null; end;
      begin create role authenticated nologin noinherit; exception when duplicate_object or unique_violation then null; end;
      begin create role service_role nologin noinherit bypassrls; exception when duplicate_object or unique_violation then null; end;
    end $$;
    grant usage on schema public to anon, authenticated, service_role;
    alter default privileges in schema public grant all on tables to anon, authenticated, service_role;
    alter default privileges in schema public grant all on functions to anon, authenticated, service_role;
    alter default privileges in schema public grant all on sequences to anon, authenticated, service_role;
  `);
  if (options.authUsage ?? true) {
    await sql.unsafe('grant usage on schema auth to anon, authenticated, service_role');
  }
}
