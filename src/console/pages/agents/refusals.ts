import * as z from 'zod/mini';
import type { Problem } from '../../client/problem.ts';
import type { FieldErrors } from './draft.ts';

const problemsSchema = z.array(
  z.object({ field: z.string(), problem: z.string(), remedy: z.optional(z.string()) }),
);

/** What the API says about single fields, by the field's name as in `tools[1].tool_name`. */
export function fieldErrors(problem: Problem | null): FieldErrors {
  const problems = problemsSchema.safeParse(problem?.facts.problems).data ?? [];
  const errors: Record<string, string> = {};
  for (const { field, problem: what, remedy } of problems) {
    const words = remedy ? `${what}: ${remedy}` : what;
    errors[field] = errors[field] ? `${errors[field]} ${words}` : words;
  }
  return errors;
}

const conflictSchema = z.object({
  version: z.number(),
  changed_by_name: z.nullish(z.string()),
  changed: z.nullish(z.record(z.string(), z.unknown())),
});

export interface Conflict {
  readonly version: number;
  readonly by: string | undefined;
  readonly fields: readonly string[];
}

/** Somebody else has saved the agent since it was opened here. */
export function readConflict(problem: Problem | null): Conflict | undefined {
  if (problem?.code !== 'version_conflict') return undefined;
  const facts = conflictSchema.safeParse(problem.facts).data;
  if (!facts) return undefined;
  return {
    version: facts.version,
    by: facts.changed_by_name ?? undefined,
    fields: Object.keys(facts.changed ?? {}),
  };
}
