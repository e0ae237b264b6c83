import { z } from 'zod';
import type { JsonObject } from './types.ts';

/** Longer arguments are no request of a conversation, and the row is shown to a person. */
const MAX_ARGUMENT_CHARS = 64_000;
const objectSchema = z.record(z.string(), z.unknown());

/** Text that a PostgreSQL text or jsonb column takes: no NUL, no half of a surrogate pair. */
export function storableText(text: string): string {
  return text.replaceAll('\u0000', '').toWellFormed();
}

/** The same for all strings within a JSON value, keys included. */
export function storableJson(value: unknown): unknown {
  if (typeof value === 'string') return storableText(value);
  if (Array.isArray(value)) return value.map(storableJson);
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(
    Object.entries(value).map(([key, part]) => [storableText(key), storableJson(part)]),
  );
}

export type ReadArguments =
  | { readonly ok: true; readonly value: JsonObject }
  | { readonly ok: false; readonly problem: string; readonly head: string };

/** The model's arguments as it wrote them: nothing at all means none, anything but an object is refused. */
export function readArguments(raw: string): ReadArguments {
  const head = storableText(raw.slice(0, 500));
  if (raw.length > MAX_ARGUMENT_CHARS)
    return { ok: false, problem: `longer than ${MAX_ARGUMENT_CHARS} characters`, head };
  if (raw.trim() === '') return { ok: true, value: {} };
  try {
    const parsed = objectSchema.safeParse(JSON.parse(raw));
    if (!parsed.success) return { ok: false, problem: 'another kind of value', head };
    return { ok: true, value: storableJson(parsed.data) as JsonObject };
  } catch (error) {
    return { ok: false, problem: error instanceof Error ? error.message.slice(0, 200) : 'not JSON', head };
  }
}
