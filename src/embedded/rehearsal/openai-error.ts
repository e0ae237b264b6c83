import type { ServerResponse } from 'node:http';

/** Answers as OpenAI does when it refuses, so that its client maps the status to its own errors. */
export function sendOpenAiError(
  response: ServerResponse,
  status: number,
  message: string,
  code?: string,
): void {
  if (response.headersSent) {
    response.destroy();
    return;
  }
  const type =
    status >= 500 ? 'server_error' : status === 429 ? 'rate_limit_exceeded' : 'invalid_request_error';
  response.writeHead(status, { 'content-type': 'application/json' });
  response.end(JSON.stringify({ error: { message, type, param: null, code: code ?? null } }));
}
