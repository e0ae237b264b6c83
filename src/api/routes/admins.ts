import type { MiddlewareHandler } from 'hono';
import { FloorwalkerError } from '../../errors.ts';
import type { ApiEnv } from '../environment.ts';

/**
 * Refuses whoever is no admin before anything of the request is read. The database refuses them too; this spares it,
 * and Supabase Auth, the question.
 */
export const adminsOnly: MiddlewareHandler<ApiEnv> = async (context, next) => {
  if (context.get('person').role !== 'admin') {
    throw new FloorwalkerError('not_allowed', 'Only an admin of the business may do that.');
  }
  await next();
};
