/**
 * The prompts that the runtime asks for and the variables it fills in each. The files in `prompts/` must declare
 * exactly these; the loader compares both when a process starts.
 */
export const PROMPT_VARIABLES = {
  // Read by the model
  system: [
    'agent_prompt',
    'agent_name',
    'business_name',
    'channel',
    'channel_rules',
    'tool_rules',
    'language',
    'customer_name',
    'customer_phone',
    'phone_verified',
    'local_date',
    'local_time',
    'time_zone',
  ],
  channel_rules_chat: [],
  channel_rules_voice: [],
  tool_rules: [],
  tool_waits: ['tools'],
  customer_question: ['message', 'fields'],
  turn_limited: [],
  takeover_handed_back: [],
  answer_cut_off: [],
  hand_back_note: ['note'],
  whisper_note: ['note'],
  wrap_up: ['business_name', 'channel', 'language', 'topics', 'issue_tags', 'facts', 'transcript'],
  // Heard or read by the customer
  greeting: ['agent_name', 'business_name'],
  greeting_disclosure: ['business_name'],
  holding_words: [],
  reassurance: [],
  filler: [],
  progress: ['percent'],
  silence_first: [],
  silence_second: [],
  silence_goodbye: [],
  recovery_apology: [],
  ask_to_repeat: [],
  takeover_resume: [],
  takeover_resume_apology: [],
  unavailable_apology: [],
  queue_place: ['business_name', 'position'],
  queue_next: ['business_name'],
  voice_trouble: [],
  callback_offer: [],
  callback_offer_known: ['last_digits'],
  callback_arranged: ['last_digits'],
  goodbye: ['business_name'],
  outage_goodbye: ['business_name'],
  recovery_goodbye: ['business_name'],
  writing_too_fast: [],
  flood_goodbye: ['business_name'],
  too_long_goodbye: ['business_name'],
  message_too_long: ['limit'],
  message_unreadable: [],
} as const satisfies Record<string, readonly string[]>;

export type PromptName = keyof typeof PROMPT_VARIABLES;
export type PromptValues<Name extends PromptName> = Readonly<
  Record<(typeof PROMPT_VARIABLES)[Name][number], string>
>;
