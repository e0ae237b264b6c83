import { type Entities, findEntities } from './entities.ts';
import { CLOSING, GREETING_ONLY, INTENTS, type Intent, THANKS, WISHES } from './intents.ts';
import type { Turn } from './types.ts';

/** What the session knows of the moment that the words do not say. */
export interface FeedState {
  waitingPermission?: { toolName: string; arguments: unknown };
  runningTool?: string;
  /** How much of it is done, in percent, where its server says so. */
  toolPercent?: number;
  control: 'agent' | 'supervisor';
  customerSilentMs: number;
  agentSpeaking: boolean;
  customerSpeaking: boolean;
  supervisorRequested: boolean;
  ended?: boolean;
}

export const FEED_LIMIT = 120;
/** A pause worth a word: the first silence at which a customer would be asked whether they are still there. */
const NOTABLE_SILENCE_MS = 12_000;

/**
 * One sentence on what is going on and what is waited for, at most 120 characters: "Asks for a refund of order
 * 1042; waiting for permission to refund_order". Made of known words, order numbers and sums only, so that it
 * neither repeats what was said nor carries a person's data.
 */
export function describeFeed(turns: readonly Turn[], state: FeedState): string {
  return readFeed(turns)(state);
}

/**
 * {@link describeFeed} in two steps, for who asks about the same words again and again: reading them takes longer the
 * more has been said (14 ms for 400 turns), and what the moment adds next to nothing.
 */
export function readFeed(turns: readonly Turn[]): (state: FeedState) => string {
  const entities = findEntities(turns);
  const asked = describeAsked(turns);
  const concerns = new Map<string | undefined, Concern>();
  return (state) => {
    const order = orderOfCall(state);
    const concern = concerns.get(order) ?? describeConcern(turns, order ? { ...entities, order } : entities);
    concerns.set(order, concern);
    const waiting = describeWaiting(turns.at(-1)?.role, asked, state);
    for (const parts of [
      [concern.before, concern.what, concern.mood, waiting],
      [concern.before, concern.what, '', waiting],
      ['', concern.what, '', waiting],
    ]) {
      const line = sentence(parts);
      if (line.length <= FEED_LIMIT) return line;
    }
    return `${sentence([concern.what, waiting]).slice(0, FEED_LIMIT - 1)}…`;
  };
}

const NO_THANKS = /\bno (thanks|thank you)\b|thanks? (you )?for nothing|thanks (but|i guess|i suppose)/;

interface Concern {
  before: string;
  what: string;
  mood: string;
}

function describeConcern(turns: readonly Turn[], entities: Entities): Concern {
  const said = turns.filter(({ role }) => role === 'customer').map(({ text }) => plain(text));
  const newest = said.at(-1);
  if (newest === undefined) return { before: '', what: 'Conversation has just begun', mood: '' };
  const concern = findConcern(said)?.describe(entities);
  const repeat = said.some((text) => WISHES.repeat.test(text)) ? 'Repeat contact' : '';
  const outcome = describeOutcome(turns);
  const mood = WISHES.legal.test(newest)
    ? 'threatens legal steps'
    : WISHES.leave.test(newest)
      ? 'threatens to leave'
      : WISHES.human.test(newest)
        ? 'wants to speak to a person'
        : outcome;
  if (WISHES.withdraw.test(newest) && said.length > 1) {
    return {
      before: repeat,
      what: concern ? `${concern}, then gives it up` : 'Gives the matter up',
      mood: '',
    };
  }
  const thanks = THANKS.test(newest) && !NO_THANKS.test(newest);
  const closes = (thanks || CLOSING.test(newest)) && newest.split(' ').length <= 12;
  if (closes && said.length > 1) {
    const subject = concern ? `${lowerFirst(concern)}` : 'a short enquiry';
    return {
      before: repeat,
      what: concern ? `${upperFirst(subject)}` : 'Had a short enquiry',
      mood:
        outcome === 'agent declined'
          ? 'declined, closing'
          : CLOSING.test(newest)
            ? 'saying goodbye'
            : 'says thanks',
    };
  }
  if (concern) return { before: repeat, what: concern, mood };
  if (GREETING_ONLY.test(newest)) return { before: '', what: 'Says hello', mood: '' };
  if (entities.order) return { before: repeat, what: `Talks about order ${entities.order}`, mood };
  if (entities.product) return { before: repeat, what: `Talks about the ${entities.product}`, mood };
  return {
    before: repeat,
    what: mood && mood !== outcome ? upperFirst(mood) : 'General enquiry',
    mood: mood === outcome ? outcome : '',
  };
}

/** The newest request, else the first concern: what comes up in passing later does not change the subject. */
function findConcern(said: readonly string[]): Intent | undefined {
  const found = said.flatMap((text) => INTENTS.find(({ pattern }) => pattern.test(text)) ?? []);
  return found.findLast(({ request }) => request) ?? found.find(({ name }) => !VAGUE.has(name)) ?? found[0];
}

const VAGUE = new Set(['question', 'complaint', 'plan_change', 'document']);

/** What the agent's last words mean for the concern. */
function describeOutcome(turns: readonly Turn[]): string {
  const last = turns.findLast(({ role }) => role === 'agent');
  if (!last) return '';
  const text = plain(last.text);
  if (
    /\b(unfortunately|im afraid|i am afraid|unable to|not able to|cant (do|offer|be|give|make|refund|change|authorise|accept)|cannot|not possible|policy|there is nothing|theres nothing|not eligible|not covered|denied)\b/.test(
      text,
    )
  ) {
    return 'agent declined';
  }
  if (
    /\b(ive|i have|has been|have been|is|its|all) (now )?(refunded|cancelled|canceled|processed|booked|sent|reset|fixed|updated|changed|removed|waived|credited|unlocked|activated|done|set|sorted|corrected|moved|confirmed|linked|blocked|restored|on its way)\b/.test(
      text,
    )
  ) {
    return 'agent says it is done';
  }
  return '';
}

/** @param asked what the last words wait for */
function describeWaiting(last: Turn['role'] | undefined, asked: string, state: FeedState): string {
  if (state.ended) return 'conversation has ended';
  if (state.waitingPermission)
    return `waiting for permission to ${toolWord(state.waitingPermission.toolName)}`;
  if (state.control === 'supervisor') return 'a supervisor has taken over';
  if (state.runningTool) {
    const done = state.toolPercent === undefined ? '' : `, ${state.toolPercent} % done`;
    return `running ${toolWord(state.runningTool)}${done}`;
  }
  if (state.supervisorRequested) return 'waiting for a supervisor';
  if (state.customerSpeaking) return 'customer is speaking';
  if (state.agentSpeaking) return 'agent is answering';
  if (last === 'customer') return 'agent is working on an answer';
  if (state.customerSilentMs >= NOTABLE_SILENCE_MS) {
    return `customer silent for ${silence(state.customerSilentMs)}`;
  }
  return `waiting for ${asked}`;
}

function describeAsked(turns: readonly Turn[]): string {
  const last = turns.at(-1);
  return last ? askedFor(plain(last.text), last.text) : "the customer's first words";
}

const ASKED: readonly (readonly [RegExp, string])[] = [
  [/order (number|no|id|reference)|which order/, 'the order number'],
  [/(account|reference|booking|policy|claim|ticket) (number|reference|no)|reference/, 'the reference number'],
  [/phone number|number (can|may) (i|we) (reach|call)/, 'a phone number'],
  [/e ?mail( address)?/, 'an e-mail address'],
  [/postcode|zip|address/, 'the address'],
  [/date of birth/, 'the date of birth'],
  [/(picture|photo|screenshot)/, 'a picture'],
  [/your (full )?name|what name|take your name/, 'the name'],
  [
    /(shall i|should i|do you want me|would you like|is that (ok|okay|right|correct)|can you confirm|are you sure|go ahead)/,
    "the customer's go-ahead",
  ],
  [/(try|restart|unplug|turn it off|reset|hold the)/, 'the customer to try a step'],
  [/anything else/, 'any further wish'],
];

function askedFor(text: string, original: string): string {
  const question =
    original.includes('?') ||
    /^(can|could|may|what|which|when|how|have|do|is|are)\b|\b(can|could|may) (i|you)\b/.test(text);
  return (
    (question ? ASKED.find(([pattern]) => pattern.test(text))?.[1] : undefined) ??
    (question ? "the customer's answer" : "the customer's reply")
  );
}

/** The order number in the arguments of the call that waits; the one thing of theirs that a line may name. */
function orderOfCall({ waitingPermission }: FeedState): string | undefined {
  const values = waitingPermission?.arguments;
  if (typeof values !== 'object' || values === null) return undefined;
  for (const [name, value] of Object.entries(values)) {
    if (!/order/i.test(name)) continue;
    const text = typeof value === 'number' || typeof value === 'string' ? String(value) : '';
    if (/^#?[A-Za-z]{0,4}-?\d{2,10}$/.test(text)) return text.replace(/^#/, '');
  }
  return undefined;
}

function silence(ms: number): string {
  const seconds = Math.floor(ms / 5_000) * 5;
  return seconds < 120 ? `${seconds} s` : `${Math.floor(seconds / 60)} min`;
}

function toolWord(name: string): string {
  return name.replace(/[^\w.-]/g, '').slice(0, 48) || 'a tool';
}

function plain(text: string): string {
  return text
    .toLowerCase()
    .replace(/['\u2019]/g, '')
    .replace(/[^\p{L}\d\s]+/gu, ' ')
    .replace(/\b(um|uh|er|erm|hmm)\b/g, ' ')
    .replace(/\s+/g, ' ')
    .trim()
    .slice(0, 2_000);
}

function sentence(parts: readonly string[]): string {
  const [first = '', ...rest] = parts.filter((part) => part !== '');
  if (first === 'Repeat contact') {
    const [what = '', ...others] = rest;
    return [`Repeat contact: ${lowerFirst(what)}`, ...others].join('; ');
  }
  return [first, ...rest].join('; ');
}

function lowerFirst(text: string): string {
  return text.charAt(0).toLowerCase() + text.slice(1);
}

function upperFirst(text: string): string {
  return text.charAt(0).toUpperCase() + text.slice(1);
}
