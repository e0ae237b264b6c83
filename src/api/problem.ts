import type { Context } from 'hono';
import { HTTPException } from 'hono/http-exception';
import type { ContentfulStatusCode } from 'hono/utils/http-status';
import type { ZodError } from 'zod';
import { ERROR_CATALOGUE, type ErrorCode, FloorwalkerError, isFloorwalkerError } from '../errors.ts';
import type { ApiEnv } from './environment.ts';

const STATUS_CODES: Record<number, ErrorCode> = {
  400: 'invalid_request',
  401: 'unauthenticated',
  403: 'not_allowed',
  404: 'not_found',
  413: 'body_too_large',
  415: 'unsupported_media_type',
};

/** What went wrong with a request's shape, one entry a field, without repeating what was sent. */
export function invalidRequest(error: ZodError, where: string): FloorwalkerError {
  const problems = error.issues.map((issue) => ({
    field: issue.path.length > 0 ? issue.path.join('.') : where,
    problem: issue.message,
  }));
  const detail = problems.map(({ field, problem }) => `${field}: ${problem}`).join('; ');
  return new FloorwalkerError('invalid_request', detail.slice(0, 1_000), { details: { problems } });
}

function asFloorwalkerError(error: unknown): FloorwalkerError {
  if (isFloorwalkerError(error)) return error;
  if (error instanceof HTTPException) {
    const code = STATUS_CODES[error.status] ?? 'internal';
    const malformed = code === 'invalid_request' ? 'The body is not valid JSON.' : undefined;
    return new FloorwalkerError(code, malformed, { cause: error });
  }
  return new FloorwalkerError('internal', undefined, { cause: error });
}

/**
 * Facts for the caller, under names that can't be taken for the document's own: a permission's status is
 * `permission_status`. Where and how a query failed is for the log.
 */
function publicFacts({ code, details }: FloorwalkerError): Record<string, unknown> {
  const { status: subjectStatus, what: _what, sqlState: _sqlState, ...facts } = details;
  if (subjectStatus === undefined) return facts;
  return { ...facts, [`${code.split('_')[0]}_status`]: subjectStatus };
}

/** RFC 9457. Facts about the failure are extension members; they never replace the standard ones. */
export function problemResponse(context: Context<ApiEnv>, thrown: unknown): Response {
  const error = asFloorwalkerError(thrown);
  const { status } = error;
  const log = context.get('log');
  if (status >= 500) log.error({ err: thrown, code: error.code }, 'request failed');
  else log.debug({ code: error.code }, 'request refused');
  context.set('errorCode', error.code);

  const retryAfter = error.details.retry_after_seconds;
  if (typeof retryAfter === 'number') context.header('retry-after', String(Math.ceil(retryAfter)));
  if (error.code === 'unauthenticated') context.header('www-authenticate', 'Bearer');
  const body = {
    ...publicFacts(error),
    type: `urn:floorwalker:error:${error.code}`,
    title: ERROR_CATALOGUE[error.code].title,
    status,
    // What an unexpected failure says of itself is for the log, not for whoever provoked it.
    detail: status === 500 ? ERROR_CATALOGUE[error.code].title : error.message,
    code: error.code,
    remedy: error.remedy,
    request_id: context.get('requestId'),
  };
  return context.json(body, status as ContentfulStatusCode, { 'content-type': 'application/problem+json' });
}
