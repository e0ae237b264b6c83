import * as z from 'zod/mini';

const objectSchema = z.record(z.string(), z.unknown());

/** Edited arguments as they were typed: JSON, and an object. What the tool's schema says is checked by the API. */
export function readEdited(
  draft: string,
): { readonly value: Record<string, unknown> } | { readonly problem: string } {
  let parsed: unknown;
  try {
    parsed = JSON.parse(draft);
  } catch (error) {
    return {
      problem: `This is not valid JSON: ${error instanceof Error ? error.message : 'it can not be read'}`,
    };
  }
  const read = objectSchema.safeParse(parsed);
  return read.success ? { value: read.data } : { problem: 'Arguments are an object: { "name": value }' };
}
