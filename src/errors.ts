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
    remedy:
      'Correct the files and fields that are listed; prompts are in the folder prompts, a folder a language.',
  },
  demo_running: {
    status: 500,
    title: 'Another demo uses this data folder',
    remedy: 'Stop it with Ctrl-C, or choose another folder and port: --data DIR --port N.',
  },
  data_folder_unusable: {
    status: 500,
    title: 'The data folder can not be used',
    remedy: 'Make it writable for this user, or choose another one with --data DIR.',
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
  business_not_found: {
    status: 404,
    title: 'There is no such business',
    remedy: 'Make it with `floorwalker business create`, or correct its slug.',
  },
  customer_not_found: {
    status: 404,
    title: 'There is no such customer',
    remedy: 'Check the id or the number; it may have been deleted already.',
  },
  customer_in_conversation: {
    status: 409,
    title: 'A conversation of this customer is going on',
    remedy: 'End those in `interaction_ids` first, then delete again.',
  },
  term_over: {
    status: 409,
    title: 'Another process was elected for this work',
    remedy: 'Nothing needs to be done; the elected one does it.',
  },
  user_not_found: {
    status: 404,
    title: 'There is no such person',
    remedy: 'Invite them first with `floorwalker users invite`.',
  },
  username_taken: {
    status: 409,
    title: 'This username is taken in the business',
    remedy: 'Choose another one.',
  },
  user_of_another_business: {
    status: 409,
    title: 'This person belongs to another business',
    remedy: 'Use another e-mail address; an account belongs to one business.',
  },
  supervisor_has_agents: {
    status: 409,
    title: 'This supervisor still has agents',
    remedy: 'Give the agents to another supervisor first.',
  },
  supervisor_invalid: {
    status: 422,
    title: 'The agent’s supervisor can not be that person',
    remedy: 'Name a supervisor of the same business whose type is the agent’s.',
  },
  cover_invalid: {
    status: 422,
    title: 'The agent’s cover can not be that person',
    remedy: 'Name another supervisor of the same business and type, or none.',
  },
  too_many_agents: {
    status: 409,
    title: 'A supervisor has at most three agents',
    remedy: 'Give the agent to another supervisor.',
  },
  agent_version_conflict: {
    status: 409,
    title: 'The agent was changed elsewhere since',
    remedy: 'Look at the difference, then apply again or force it.',
  },
  version_conflict: {
    status: 409,
    title: 'It was changed by somebody else since',
    remedy: '`changed` says what; load it again and repeat your change.',
  },
  version_not_found: {
    status: 404,
    title: 'There is no such version',
    remedy: 'Choose one of the versions that are listed.',
  },
  tool_change_not_allowed: {
    status: 403,
    title: 'Only admins add tools, change what a tool reaches or remove a gate',
    remedy: 'Ask an admin of the business; `tools` names those it is about.',
  },
  inline_command_refused: {
    status: 403,
    title: 'Nobody who signs in may write a command for the worker',
    remedy:
      'Name a server that the operator defined in TOOL_SERVERS, or have the operator apply the definition.',
  },
  search_invalid: {
    status: 400,
    title: 'This can not be searched for',
    remedy: 'Write at least three digits of a phone number, and a word that is not in every conversation.',
  },
  invalid_time_zone: {
    status: 400,
    title: 'This is not a time zone',
    remedy: 'Write an IANA name such as Europe/Amsterdam.',
  },
  unknown_period: {
    status: 400,
    title: 'There is no such period',
    remedy: 'Write today or month.',
  },
  invalid_origin: {
    status: 400,
    title: 'This is not the origin of a page',
    remedy: 'Write scheme and host alone, such as https://shop.example.',
  },
  invalid_vocabulary: {
    status: 400,
    title: 'This is not a list of tags',
    remedy: 'Write each tag once, in lower_snake_case, up to 60 characters.',
  },
  person_exists: {
    status: 409,
    title: 'This person is part of the business already',
    remedy: 'Change the person that is there.',
  },
  person_in_control: {
    status: 409,
    title: 'This person is speaking with a customer right now',
    remedy: 'Have them hand back, or take the conversation over, and try again.',
  },
  last_admin: {
    status: 409,
    title: 'A business needs an admin',
    remedy: 'Make another person an admin first.',
  },
  invalid_phone_number: {
    status: 400,
    title: 'This is not a phone number',
    remedy: 'Write it in international form, such as +31201234567.',
  },
  invalid_rating: {
    status: 400,
    title: 'A rating is a whole number from 1 to 5',
    remedy: 'Send 1, 2, 3, 4 or 5.',
  },
  invalid_decision: {
    status: 400,
    title: 'This is not a decision',
    remedy: 'Write allowed or denied; edited arguments come with their hash.',
  },
  invalid_disposition: {
    status: 400,
    title: 'The disposition or its notes are too long',
    remedy: 'Write at most 100 and 10,000 characters.',
  },
  invalid_status: {
    status: 400,
    title: 'An interaction does not end like that',
    remedy: 'Write completed or failed.',
  },
  invalid_retention: {
    status: 400,
    title: 'This is not a number of days',
    remedy: 'Write zero or more.',
  },
  archive_invalid: {
    status: 422,
    title: 'A wrap-up is not usable as an archive',
    remedy: 'Correct what is named; tags come from the vocabulary or are declared as new.',
  },
  archive_not_found: {
    status: 404,
    title: 'This interaction has no archive',
    remedy: 'It has not ended yet, or its archive is older than retention allows.',
  },
  tool_call_not_unknown: {
    status: 409,
    title: 'The outcome of this tool call is known',
    remedy: 'Look at the state of the call; only one whose outcome is unknown has to be looked into.',
  },
  tool_call_already_resolved: {
    status: 409,
    title: 'Somebody has said already what became of this tool call',
    remedy: 'The answer says who and what; the first one counts.',
  },
  invalid_resolution: {
    status: 400,
    title: 'This is no answer to what became of a tool call',
    remedy: 'Send "happened", "did_not_happen" or "run_again".',
  },
  tool_call_not_found: {
    status: 404,
    title: 'There is no such tool call',
    remedy: 'Request the call before it is started or finished.',
  },
  tool_call_not_started: {
    status: 409,
    title: 'A call that never started has no result',
    remedy: 'Start the call first.',
  },
  stale_generation: {
    status: 409,
    title: 'Another worker carries this interaction on',
    remedy: 'Stop this session; it must not speak or write any more.',
  },
  audit_append_only: {
    status: 403,
    title: 'The audit log is only ever added to',
    remedy: 'Leave it as it is.',
  },
  database_error: {
    status: 500,
    title: 'The database refused something unexpectedly',
    remedy: 'Check that `floorwalker migrate` was run; the log has the details.',
  },
  schema_outdated: {
    status: 500,
    title: 'The database lacks something that this version needs',
    remedy: 'Run `floorwalker migrate`.',
  },
  schema_too_new: {
    status: 500,
    title: 'The database was migrated by a newer version',
    remedy: 'Deploy that version or a newer one; nothing was changed.',
  },
  migration_changed: {
    status: 500,
    title: 'A migration was edited after it had been applied',
    remedy: 'Restore the file, or begin with a new database; nothing was changed.',
  },
  migration_failed: {
    status: 500,
    title: 'A migration could not be applied',
    remedy: 'Correct what the message names; the migration was rolled back as a whole.',
  },
  checks_failed: {
    status: 500,
    title: 'Not everything is in order',
    remedy: 'Do what stands below each failed check.',
  },
  auth_failed: {
    status: 502,
    title: 'Supabase Auth refused a request',
    remedy:
      'Check SUPABASE_URL and SUPABASE_SECRET_KEY with `floorwalker doctor`, and the settings of Supabase Auth.',
  },
  not_found: { status: 404, title: 'There is nothing here', remedy: 'Check the address and the id.' },
  score_input_invalid: {
    status: 400,
    title: 'The conversations to score can not be read',
    remedy: 'Correct the line or argument that is named.',
  },
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
  second_factor_required: {
    status: 403,
    title: 'This account has a second factor, and this sign-in was without it',
    remedy: 'Sign in with the code of the authenticator app.',
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
  interaction_not_active: {
    status: 409,
    title: 'This is possible only in a conversation that is going on',
    remedy: 'Look at the state of the interaction.',
  },
  control_held: {
    status: 409,
    title: 'Another person has this conversation',
    remedy: 'Wait until it is handed back; an admin may insist with `insist: true`.',
  },
  control_not_held: {
    status: 409,
    title: 'Only who has a conversation can hand it back',
    remedy: 'Take it over first.',
  },
  callback_not_found: {
    status: 404,
    title: 'There is no such request to be called back',
    remedy: 'Check the id; requests of others are not shown.',
  },
  invalid_whisper: {
    status: 400,
    title: 'This can not be told to the agent',
    remedy: 'Write 1 to 2,000 characters.',
  },
  phone_number_needed: {
    status: 422,
    title: 'No phone number is known',
    remedy: 'Ask the customer for a number in international form.',
  },
  grant_not_found: {
    status: 404,
    title: 'Nothing was allowed beyond this one call',
    remedy: 'Only a decision with a `scope` can be taken back.',
  },
  permission_already_decided: {
    status: 409,
    title: 'This permission request is already settled',
    remedy: '`permission_status` says what won; nothing needs to be done.',
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
  too_many_streams: {
    status: 429,
    title: 'One person has more event streams open than allowed',
    remedy: 'Close other windows of the console; `LIMIT_STREAMS_PER_PERSON` is the limit.',
  },
  shutting_down: {
    status: 503,
    title: 'This process of the API is about to stop',
    remedy: 'Try again; another process answers.',
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
  stop_incomplete: {
    status: 500,
    title: 'A part of a process that stops did not come to its end',
    remedy: 'Nothing is lost; `step` and `instead` of the log line say what hung and what was done about it.',
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
