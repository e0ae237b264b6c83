import { Refusal } from './api.ts';

/** What a customer reads when something fails: what happened, and what they can do. */
export interface Trouble {
  readonly what: string;
  readonly todo: string;
  /** Whether trying the same again makes sense. */
  readonly again: boolean;
}

const WORDS: Record<string, Omit<Trouble, 'again'>> = {
  unreachable: {
    what: 'We can’t be reached from here.',
    todo: 'Check your internet connection, then try again.',
  },
  media_unavailable: {
    what: 'Conversations can’t be started at the moment.',
    todo: 'Please try again in a minute.',
  },
  database_unavailable: {
    what: 'Our system is briefly unavailable.',
    todo: 'Please try again in a minute.',
  },
  rate_limited: {
    what: 'There were many conversations from your connection in a short time.',
    todo: 'Please wait a little, then try again.',
  },
  business_limit_reached: {
    what: 'So many people are talking to us that no more fit in.',
    todo: 'Please try again later.',
  },
  invalid_request: {
    what: 'It is not clear whom you would like to talk to.',
    todo: 'Use the address that you were given in full: it ends with ?business= and a name.',
  },
  business_not_found: { what: 'There is nobody of that name here.', todo: 'Check the address.' },
  agent_not_found: { what: 'This assistant is no longer there.', todo: 'Please choose another one.' },
  agent_not_public: {
    what: 'This assistant takes no conversations here.',
    todo: 'Please choose another one.',
  },
  origin_not_allowed: {
    what: 'Chat is not set up for this website.',
    todo: 'Please contact the owner of the website.',
  },
  interaction_not_found: { what: 'This conversation is over.', todo: 'You can start a new one.' },
  resume_token_invalid: {
    what: 'This conversation can’t be continued here.',
    todo: 'You can start a new one.',
  },
  interaction_ended: { what: 'This conversation has ended.', todo: 'You can start a new one.' },
  microphone_refused: {
    what: 'The browser does not let this page use your microphone.',
    todo: 'Allow the microphone for this page (the icon beside the address), then try again.',
  },
  microphone_missing: {
    what: 'No microphone was found.',
    todo: 'Connect one, or choose an assistant that you can write to.',
  },
  microphone_busy: {
    what: 'Your microphone can’t be opened.',
    todo: 'Close other programs that use it, then try again.',
  },
  microphone_insecure: {
    what: 'Browsers allow the microphone only on secure (https) pages.',
    todo: 'Open this page with https, or choose an assistant that you can write to.',
  },
};
const UNKNOWN = { what: 'Something failed on our side.', todo: 'Please try again in a minute.' };
const FINAL = ['agent_not_found', 'agent_not_public', 'origin_not_allowed', 'interaction_not_found'];

export function troubleOf(error: unknown): Trouble {
  const code = error instanceof Refusal ? error.code : microphoneCode(error);
  const words = WORDS[code] ?? UNKNOWN;
  const wait = error instanceof Refusal ? error.retryAfterSeconds : undefined;
  const todo = wait === undefined ? words.todo : `Please try again in ${seconds(wait)}.`;
  return { what: words.what, todo, again: !FINAL.includes(code) };
}

/** The names that browsers give to what can go wrong with a microphone. */
function microphoneCode(error: unknown): string {
  const name = error instanceof Error || error instanceof DOMException ? error.name : '';
  if (name === 'NotAllowedError' || name === 'SecurityError') return 'microphone_refused';
  if (name === 'NotFoundError' || name === 'OverconstrainedError') return 'microphone_missing';
  if (name === 'NotReadableError' || name === 'AbortError') return 'microphone_busy';
  return name === 'InsecureContextError' ? 'microphone_insecure' : 'unknown';
}

function seconds(count: number): string {
  if (count < 90) return `${Math.max(1, Math.ceil(count))} seconds`;
  return `${Math.ceil(count / 60)} minutes`;
}
