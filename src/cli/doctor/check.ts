/** One line of the doctor's report. `warn` works, but less well than it could, or not for everything. */
export interface Finding {
  readonly area: string;
  readonly status: 'ok' | 'warn' | 'fail' | 'skip';
  readonly subject: string;
  readonly message: string;
  readonly remedy?: string;
}

/** Each check has this long; a doctor that hangs is no help. */
export const CHECK_TIMEOUT_MS = 8_000;

export class Findings {
  readonly #area: string;
  readonly list: Finding[] = [];

  constructor(area: string) {
    this.#area = area;
  }

  ok(subject: string, message: string): void {
    this.list.push({ area: this.#area, status: 'ok', subject, message });
  }

  skip(subject: string, message: string): void {
    this.list.push({ area: this.#area, status: 'skip', subject, message });
  }

  warn(subject: string, message: string, remedy: string): void {
    this.list.push({ area: this.#area, status: 'warn', subject, message, remedy });
  }

  fail(subject: string, message: string, remedy: string): void {
    this.list.push({ area: this.#area, status: 'fail', subject, message, remedy });
  }
}

/** The shortest true sentence about a failure; network errors hide theirs in `cause`. */
export function describeError(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  const code = 'code' in error && typeof error.code === 'string' ? error.code : undefined;
  if (error.name === 'TimeoutError' || code === 'ABORT_ERR')
    return `no answer within ${CHECK_TIMEOUT_MS / 1000} s`;
  if (error.cause instanceof Error && (error.message === 'fetch failed' || error.message === '')) {
    return describeError(error.cause);
  }
  return error.message !== '' ? error.message : (code ?? error.name);
}
