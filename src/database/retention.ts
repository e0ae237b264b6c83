import { z } from 'zod';
import type { Database } from './client.ts';
import { callFunction } from './rpc.ts';

const appliedSchema = z.object({
  interactions: z.number(),
  transcripts: z.number(),
  metrics: z.number(),
  customers: z.number(),
  more: z.boolean(),
});
export type AppliedRetention = z.output<typeof appliedSchema>;

/**
 * Removes what each business no longer keeps, at most `limit` interactions; repeat while `more`.
 *
 * @param args.term of the housekeeping election; without it the caller answers for doing it alone.
 * @throws FloorwalkerError `term_over`
 */
export function applyRetention(
  db: Database,
  args: { limit?: number; term?: number } = {},
): Promise<AppliedRetention> {
  const parameters = { p_limit: args.limit ?? 500, p_term: args.term ?? null };
  return callFunction(db, 'apply_retention', parameters, appliedSchema);
}

/** What retention has removed since the beginning, over all businesses. */
export function retentionProgress(db: Database): Promise<Omit<AppliedRetention, 'more'>> {
  return callFunction(db, 'retention_progress', {}, appliedSchema.omit({ more: true }));
}

/** The version of the schema that the database has; the highest number among `migrations/`. */
export function schemaVersion(db: Database): Promise<number> {
  return callFunction(db, 'schema_version', {}, z.coerce.number());
}
