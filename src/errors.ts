/**
 * The catalogue of errors that a person or a program may meet. A code, once released, keeps its meaning;
 * `docs/errors.md` lists the same codes and a test proves that the two agree.
 */
export const ERROR_CATALOGUE = {
  config_invalid: {
    status: 500,
    title: 'The configuration is not usable',
    remedy: 'Correct the settings that are listed.',
  },
  definitions_invalid: {
    status: 400,
    title: 'An agent definition is not usable',
    remedy: 'Correct the files and fields that are listed; nothing was changed.',
  },
  prompts_invalid: {
    status: 500,
    title: 'The prompts are not usable',
    remedy: 'Correct the files and fields that are listed; prompts are in the folder prompts, a folder a language.',
  },
  embedded_start_failed: {
    status: 500,
    title: 'A part of the embedded set-up could not be started',
    remedy: "Read the part's own lines below the message; they say what is wrong.",
  },
  tool_config_invalid: {
    status: 422,
    title: 'A tool can not be used as it is configured',
    remedy: 'Correct the fields of tool_config that are listed; tools/README.md describes them.',
  },
  tool_unavailable: {
    status: 503,
    title: 'A tool server can not be reached',
    remedy: 'Check that the server runs and that its address and credentials are right, then try again.',
  },
  tool_address_refused: {
    status: 403,
    title: 'A tool may not connect to this address',
    remedy: 'Use a public address, or set ALLOW_PRIVATE_ADDRESSES=1 where tools may reach private networks.',
  },
  tool_secret_refused: {
    status: 403,
    title: 'A tool names a secret that it may not use',
    remedy: 'Set TOOL_SECRET_<NAME>, and list the host in TOOL_SECRET_<NAME>_HOSTS.',
  },
  not_found: { status: 404, title: 'There is nothing here', remedy: 'Check the address and the id.' },
  internal: {
    status: 500,
    title: 'Something failed on our side',
    remedy: 'Try again; the log has the details under this request id.',
  },
} as const satisfies Record<string, { status: number; title: string; remedy: string }>;

export type ErrorCode = keyof typeof ERROR_CATALOGUE;

/** An expected failure: has a stable code, an HTTP status, and says what to do about it. */
export class FloorwalkerError extends Error {
  override readonly name = 'FloorwalkerError';
  readonly code: ErrorCode;
  readonly remedy: string;
  /** Machine-readable facts for the caller, for example what won when a decision came too late. */
  readonly details: Readonly<Record<string, unknown>>;

  constructor(
    code: ErrorCode,
    message?: string,
    options: { cause?: unknown; remedy?: string; details?: Record<string, unknown> } = {},
  ) {
    super(
      message ?? ERROR_CATALOGUE[code].title,
      options.cause === undefined ? undefined : { cause: options.cause },
    );
    this.code = code;
    this.remedy = options.remedy ?? ERROR_CATALOGUE[code].remedy;
    this.details = options.details ?? {};
  }

  get status(): number {
    return ERROR_CATALOGUE[this.code].status;
  }
}

/** True for an error of ours, and with `code` only for that one; works across bundles, unlike instanceof alone. */
export function isFloorwalkerError(error: unknown, code?: ErrorCode): error is FloorwalkerError {
  return error instanceof FloorwalkerError && (code === undefined || error.code === code);
}
