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
  503: 'The database or the media server can not be reached',
} as const;

type ProblemStatus = keyof typeof PROBLEMS;

/** Entries for a route's `responses`: the problem documents that it may answer with. */
export function problems<S extends ProblemStatus>(...statuses: S[]): Record<S, ReturnType<typeof problem>> {
  const entries = statuses.map((status) => [status, problem(PROBLEMS[status])]);
  return Object.fromEntries(entries) as Record<S, ReturnType<typeof problem>>;
}
