import { PostgrestError } from '@supabase/supabase-js';
import { z } from 'zod';
import { ERROR_CATALOGUE, type ErrorCode, FloorwalkerError } from '../errors.ts';
import type { Database } from './client.ts';
import { storable } from './storable.ts';

const TIMEOUT_MS = 10_000;
const MAX_ATTEMPTS = 3;

/** Rolled back as a whole because of another transaction: nothing was done, so it may be sent again. */
const ROLLED_BACK = new Set(['40001', '40P01']);

/** Connection exceptions, resources, shutdown; and PostgREST's own words for having no database. */
const UNAVAILABLE = /^(08...|53...|57P0.|57014|PGRST00[0-3])$/;

const detailSchema = z.looseObject({ message: z.string().optional() });

/** True for a code of the catalogue, which is what our database functions raise as their message. */
function isCatalogued(code: string): code is ErrorCode {
  return Object.hasOwn(ERROR_CATALOGUE, code);
}

function parseDetail(detail: string | null): {
  message?: string | undefined;
  facts: Record<string, unknown>;
} {
  // Of an ambiguous query PostgREST lists the possibilities here, against its own type.
  if (typeof detail !== 'string' || detail === '') return { facts: {} };
  if (!detail.startsWith('{')) return { message: detail, facts: {} };
  try {
    const { message, ...facts } = detailSchema.parse(JSON.parse(detail));
    return { message, facts };
  } catch {
    return { message: detail, facts: {} };
  }
}

/** What a failed query or call means, as an error of ours. `status` 0 is an answer that never came. */
export function databaseError(error: PostgrestError, status: number, what: string): FloorwalkerError {
  const { message, facts } = parseDetail(error.details);
  if (isCatalogued(error.message)) {
    return new FloorwalkerError(error.message, message, { details: facts, cause: error });
  }
  // What a proxy says in front of the server is no JSON, and has no code.
  const code: unknown = error.code;
  const sqlState = typeof code === 'string' ? code : '';
  const details = { what, sqlState };
  // Without a code it is not the database that refuses, but somebody before it: 502 to 504, or a CDN's 520 to 530.
  const upstream = status === 0 || (status >= 502 && status <= 504) || (status >= 500 && sqlState === '');
  if (UNAVAILABLE.test(sqlState) || upstream) {
    return new FloorwalkerError('database_unavailable', undefined, { details, cause: error });
  }
  if (status === 401 || sqlState.startsWith('PGRST30')) {
    return new FloorwalkerError('unauthenticated', undefined, { details, cause: error });
  }
  if (sqlState === '42501') {
    return new FloorwalkerError('not_allowed', undefined, { details, cause: error });
  }
  if (sqlState === 'PGRST202' || sqlState === '42883') {
    return new FloorwalkerError('schema_outdated', `The database has no function ${what}.`, {
      details,
      cause: error,
    });
  }
  return new FloorwalkerError('database_error', `${what}: ${error.message}`, { details, cause: error });
}

/** What one of several that were asked for together has raised, as an error of ours. */
export function raisedError(
  { code, message, details }: { code: string; message: string; details: string | null },
  what: string,
): FloorwalkerError {
  const raised = { name: 'PostgrestError', code, message, details: details ?? '', hint: '' };
  return databaseError(new PostgrestError(raised), 400, what);
}

/**
 * Calls a database function and checks its answer.
 *
 * @param timeoutMs after which an answer is not waited for any more.
 * @throws FloorwalkerError the code that the function raised; `database_unavailable` when it could not be
 * reached in time (it may or may not have run: all functions may be called again); `not_allowed`;
 * `database_error` for anything that should not happen.
 */
export async function callFunction<Schema extends z.ZodType>(
  db: Database,
  name: string,
  args: Record<string, unknown>,
  schema: Schema,
  timeoutMs = TIMEOUT_MS,
): Promise<z.output<Schema>> {
  const parameters = storable(args) as Record<string, unknown>;
  for (let attempt = 1; ; attempt += 1) {
    const { data, error, status } = await db
      .rpc(name, parameters)
      .abortSignal(AbortSignal.timeout(timeoutMs));
    if (!error) {
      const parsed = schema.safeParse(data);
      if (parsed.success) return parsed.data;
      throw new FloorwalkerError(
        'database_error',
        `${name} answered in another form: ${z.prettifyError(parsed.error)}`,
      );
    }
    if (ROLLED_BACK.has(error.code) && attempt < MAX_ATTEMPTS) continue;
    throw databaseError(error, status, name);
  }
}
