import { z } from '@hono/zod-openapi';
import { FloorwalkerError } from '../errors.ts';

export const limitSchema = z.coerce.number().int().min(1).max(200).default(50);
export const cursorSchema = z.string().max(200);

function malformed(): FloorwalkerError {
  return new FloorwalkerError('invalid_request', 'cursor: is not one that this API gave out');
}

function decode(cursor: string): unknown {
  try {
    return JSON.parse(Buffer.from(cursor, 'base64url').toString('utf8'));
  } catch {
    throw malformed();
  }
}

/** @throws FloorwalkerError `invalid_request` */
function decodeAs<Schema extends z.ZodType>(schema: Schema, cursor: string): z.output<Schema> {
  const parsed = schema.safeParse(decode(cursor));
  if (!parsed.success) throw malformed();
  return parsed.data;
}

/** Cursors are opaque to clients, and checked when they come back: they end up in a filter expression. */
export function encodeCursor(position: readonly [string, string, number?] | readonly [number]): string {
  return Buffer.from(JSON.stringify(position)).toString('base64url');
}

const timeSchema = z
  .string()
  .regex(/^[0-9T:.+ Z-]{10,40}$/)
  .refine((time) => !Number.isNaN(Date.parse(time)));
const timeAndIdSchema = z.tuple([timeSchema, z.guid()]);
const searchSchema = z.tuple([timeSchema, z.guid(), z.int().min(1).max(10_000).optional()]);
const numberSchema = z.tuple([z.int().nonnegative()]);

/** @throws FloorwalkerError `invalid_request` */
export function decodeTimeCursor(cursor: string): readonly [time: string, id: string] {
  return decodeAs(timeAndIdSchema, cursor);
}

/**
 * Of a search, which may have stopped on its way, with the days that it goes on with.
 *
 * @throws FloorwalkerError `invalid_request`
 */
export function decodeSearchCursor(cursor: string): { time: string; id: string; days?: number | undefined } {
  const [time, id, days] = decodeAs(searchSchema, cursor);
  return { time, id, days };
}

/** @throws FloorwalkerError `invalid_request` */
export function decodeNumberCursor(cursor: string): number {
  return decodeAs(numberSchema, cursor)[0];
}

/** Cuts the one row that was asked for beyond the page, to know whether there is a next one. */
export function cutPage<T>(
  rows: T[],
  limit: number,
  position: (row: T) => readonly [string, string] | readonly [number],
): { data: T[]; next_cursor: string | null } {
  const data = rows.slice(0, limit);
  const last = data.at(-1);
  return {
    data,
    next_cursor: rows.length > limit && last !== undefined ? encodeCursor(position(last)) : null,
  };
}
