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
  invalid_request: {
    status: 400,
    title: 'The request does not have the form that the API describes',
    remedy: 'Correct the fields that are listed; /openapi.json describes each route.',
  },
  unauthenticated: {
    status: 401,
    title: 'Nobody is signed in',
    remedy: 'Sign in and send the access token as `authorization: Bearer …`.',
  },
  api_key_invalid: {
    status: 401,
    title: 'The publishable key is missing or not the one of this installation',
    remedy: 'Send it in the header `apikey`.',
  },
  not_allowed: { status: 403, title: 'This person may not do that', remedy: 'Ask an admin of the business.' },
  not_a_member: {
    status: 403,
    title: 'This account belongs to no business here',
    remedy: 'Ask an admin to invite it with `floorwalker users invite`.',
  },
  origin_not_allowed: {
    status: 403,
    title: 'Pages of this origin may not start conversations with this business',
    remedy: 'Add the origin to the allowed origins of the business.',
  },
  agent_not_public: {
    status: 403,
    title: 'This agent takes no conversations from the public',
    remedy: 'Choose a public agent, or set `public: true` in its definition.',
  },
  resume_token_invalid: {
    status: 403,
    title: 'This resume token does not belong to that interaction',
    remedy: 'Use the token that was given when the interaction was created.',
  },
  not_allowed_to_decide: {
    status: 403,
    title: 'Only the agent’s supervisor, its cover or an admin can decide this',
    remedy: 'Ask one of them.',
  },
  agent_not_found: { status: 404, title: 'There is no such agent', remedy: 'Check the id of the agent.' },
  interaction_not_found: {
    status: 404,
    title: 'There is no such interaction',
    remedy: 'Check the id; interactions of others are not shown.',
  },
  permission_not_found: {
    status: 404,
    title: 'There is no such permission request',
    remedy: 'Check the id; requests of others are not shown.',
  },
  channel_mismatch: {
    status: 409,
    title: 'The agent speaks on another channel',
    remedy: 'Ask for the channel in `agent_type`.',
  },
  interaction_ended: { status: 409, title: 'This interaction has ended', remedy: 'Begin a new one.' },
  permission_already_decided: {
    status: 409,
    title: 'This permission request is already settled',
    remedy: '`status` says what won; nothing needs to be done.',
  },
  body_too_large: {
    status: 413,
    title: 'The body of the request is too large',
    remedy: 'Send less; `limit_bytes` is the most that is taken.',
  },
  unsupported_media_type: {
    status: 415,
    title: 'The body is not JSON',
    remedy: 'Send it with `content-type: application/json`.',
  },
  arguments_invalid: {
    status: 422,
    title: 'The edited arguments do not fit the tool',
    remedy: 'Correct the fields that are listed.',
  },
  rate_limited: {
    status: 429,
    title: 'Too many conversations at once or in a short time',
    remedy: 'Try again after the time in `retry-after`.',
  },
  business_limit_reached: {
    status: 429,
    title: 'The business has reached a limit of its own',
    remedy: 'Try again after the time in `retry-after`, or raise the limit.',
  },
  media_unavailable: {
    status: 503,
    title: 'The media server can not be reached',
    remedy: 'Try again; for an operator: check LIVEKIT_URL and its key with `floorwalker doctor`.',
  },
  database_unavailable: {
    status: 503,
    title: 'The database can not be reached',
    remedy: 'Try again; for an operator: check SUPABASE_URL with `floorwalker doctor`.',
  },
  chat_unavailable: {
    status: 500,
    title: 'A chat can not be started from here',
    remedy: 'Start a demo first with `npm run demo`.',
  },
  cannot_listen: {
    status: 500,
    title: 'A port can not be used',
    remedy: 'Stop what uses it, or choose another one.',
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
