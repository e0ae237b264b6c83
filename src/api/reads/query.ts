import { z } from 'zod';
import { FloorwalkerError } from '../../errors.ts';

interface Answer {
  readonly data: unknown;
  readonly error: { readonly code?: string; readonly message: string } | null;
  readonly status: number;
}

/**
 * Rows as the caller's own token may see them, checked. Row level security leaves out what is not theirs,
 * so "not yours" and "not there" look the same here, as they should to the caller.
 *
 * @throws FloorwalkerError `unauthenticated` (the token ended since it was checked), `not_allowed`,
 *   `database_unavailable` or `internal`
 */
export async function readRows<T extends z.ZodType>(
  query: PromiseLike<Answer>,
  row: T,
): Promise<z.output<T>[]> {
  const { data, error, status } = await query;
  if (error === null) return z.array(row).parse(data);
  const cause = Object.assign(new Error(error.message), error);
  if (status === 401) throw new FloorwalkerError('unauthenticated', undefined, { cause });
  if (error.code === '42501' || status === 403)
    throw new FloorwalkerError('not_allowed', undefined, { cause });
  // supabase-js answers with status 0 when the request itself failed.
  if (status === 0 || status === 502 || status === 503 || status === 504) {
    throw new FloorwalkerError('database_unavailable', undefined, { cause });
  }
  throw new FloorwalkerError('internal', undefined, { cause });
}
