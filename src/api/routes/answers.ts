import { problemSchema } from '../schemas.ts';

const problem = (description: string) => ({
  description,
  content: { 'application/problem+json': { schema: problemSchema } },
});

const PROBLEMS = {
  400: 'The request does not have the form that is described here',
  401: 'The key or token is missing, not valid or has expired',
  403: 'Known, and not allowed',
  404: 'Not there, or not visible to this person',
  409: 'The state it was meant for is over',
  413: 'The body is too large',
  415: 'The body is not JSON',
  422: 'Well formed, but not acceptable',
  429: 'A limit is reached; `retry-after` says when to try again',
  500: 'Something failed on our side; the log has the details under the request id',
  502: 'Supabase Auth refused',
  503: 'The database or the media server can not be reached',
} as const;

type ProblemStatus = keyof typeof PROBLEMS;

/** Entries for a route's `responses`: the problem documents that it may answer with; 500 always may. */
export function problems<S extends ProblemStatus>(
  ...statuses: S[]
): Record<S | 500, ReturnType<typeof problem>> {
  const entries = [...statuses, 500 as const].map((status) => [status, problem(PROBLEMS[status])]);
  return Object.fromEntries(entries) as Record<S | 500, ReturnType<typeof problem>>;
}
