import * as z from 'zod/mini';

const bodySchema = z.looseObject({
  code: z.string(),
  title: z.string(),
  detail: z.string(),
  remedy: z._default(z.string(), ''),
});

/** What the API refused, or that it could not be reached (`status` 0). `facts` holds what else it said. */
export class Problem extends Error {
  readonly status: number;
  readonly code: string;
  readonly remedy: string;
  readonly facts: Readonly<Record<string, unknown>>;

  constructor(
    status: number,
    code: string,
    message: string,
    remedy = '',
    facts: Record<string, unknown> = {},
  ) {
    super(message);
    this.name = 'Problem';
    this.status = status;
    this.code = code;
    this.remedy = remedy;
    this.facts = facts;
  }
}

export function readProblem(status: number, body: unknown): Problem {
  const read = bodySchema.safeParse(body);
  if (!read.success) return new Problem(status, 'internal', `The server answered with an error (${status}).`);
  const { code, title, detail, remedy, ...facts } = read.data;
  return new Problem(status, code, detail || title, remedy, facts);
}

/** Something to show for anything that was thrown. */
export function asProblem(error: unknown): Problem {
  if (error instanceof Problem) return error;
  if (error instanceof TypeError) {
    return new Problem(
      0,
      'unreachable',
      'The server could not be reached.',
      'Check the connection and try again.',
    );
  }
  return new Problem(0, 'internal', error instanceof Error ? error.message : String(error));
}
