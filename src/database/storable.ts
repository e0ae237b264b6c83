/**
 * Text as PostgreSQL can store it: no NUL and no half surrogate pair, either of which makes it refuse the
 * whole document, so that one odd message would hold up everything sent with it.
 */
export function storableText(text: string): string {
  return text.replaceAll('\u0000', '').toWellFormed();
}

/** The same for every string in a JSON document, keys included. */
export function storable(value: unknown): unknown {
  if (typeof value === 'string') return storableText(value);
  if (Array.isArray(value)) return value.map(storable);
  if (typeof value === 'object' && value !== null && !(value instanceof Date)) {
    return Object.fromEntries(
      Object.entries(value).flatMap(([key, part]) =>
        part === undefined ? [] : [[storableText(key), storable(part)]],
      ),
    );
  }
  return value;
}
