import { z } from 'zod';
import type { Database } from './client.ts';
import { callFunction } from './rpc.ts';

const appliedSchema = z.object({ interactions: z.number(), metrics: z.number(), more: z.boolean() });

/** Removes what each business no longer keeps, `limit` interactions at a time; repeat while `more`. */
export function applyRetention(
  db: Database,
  args: { limit?: number } = {},
): Promise<z.output<typeof appliedSchema>> {
  return callFunction(db, 'apply_retention', { p_limit: args.limit ?? 500 }, appliedSchema);
}

/** The version of the schema that the database has; the highest number among `migrations/`. */
export function schemaVersion(db: Database): Promise<number> {
  return callFunction(db, 'schema_version', {}, z.coerce.number());
}
