import type { PostgrestSingleResponse } from '@supabase/supabase-js';
import { z } from 'zod';
import { databaseError } from '../../database/rpc.ts';

const TIMEOUT_MS = 10_000;

interface Query {
  abortSignal(signal: AbortSignal): PromiseLike<PostgrestSingleResponse<unknown>>;
}

/**
 * Rows as the caller's own token may see them, checked. Row level security leaves out what is not theirs,
 * so "not yours" and "not there" look the same here, as they should to the caller.
 *
 * @throws FloorwalkerError `unauthenticated` (the token ended since it was checked), `not_allowed`,
 *   `database_unavailable` or `database_error`
 */
export async function readRows<T extends z.ZodType>(query: Query, row: T): Promise<z.output<T>[]> {
  const { data, error, status } = await query.abortSignal(AbortSignal.timeout(TIMEOUT_MS));
  if (error !== null) throw databaseError(error, status, 'read');
  return z.array(row).parse(data);
}

/**
 * Operator and operand that compare a text column. Digits are quoted in a list of one: the embedded REST
 * server takes a bare `+441632960777` for a number, and then finds no such text.
 */
export function sameText(value: string): [operator: string, operand: string] {
  return Number.isNaN(Number(value)) ? ['eq', value] : ['in', `("${value}")`];
}
