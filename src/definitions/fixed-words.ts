import { type OpeningFacts, renderGreeting } from './opening.ts';
import type { PromptBook, PromptName } from './prompts.ts';

/**
 * What is said on calls word for word again and again, and of nobody in particular: the prompts that take nothing but
 * the names of agent and business. One that takes anything of a customer or of a call must not stand here.
 */
const FIXED_PROMPTS = [
  'holding_words',
  'reassurance',
  'filler',
  'silence_first',
  'silence_second',
  'silence_goodbye',
  'recovery_apology',
  'ask_to_repeat',
  'takeover_resume',
  'takeover_resume_apology',
  'unavailable_apology',
  'voice_trouble',
  'callback_offer',
  'goodbye',
  'outage_goodbye',
  'recovery_goodbye',
  'flood_goodbye',
  'too_long_goodbye',
  'message_unreadable',
] as const satisfies readonly PromptName[];

/** More wordings of one prompt than anybody writes. */
const MOST_WORDINGS = 50;

/** A moment at which nobody calls: what is rendered for it has no day and no time of a real one. */
const NEVER = new Date(0);

export interface FixedWords {
  /** Whether a sentence is, as a whole, part of what is said to everybody. */
  include(sentence: string): boolean;
}

/**
 * All that the runtime itself says on a call of this agent whoever is on the line. The greeting is rendered for
 * nobody, so a sentence of a greeting that has the caller's name, number or the time of day is not included.
 */
export function fixedWords(book: PromptBook, facts: Pick<OpeningFacts, 'agent' | 'business'>): FixedWords {
  const values = { agent_name: facts.agent.name, business_name: facts.business.name };
  const nobody = { name: null, phoneNumber: null, phoneSource: null };
  const greeting = renderGreeting(book, { ...facts, channel: 'voice', customer: nobody, now: NEVER });
  const wordings = FIXED_PROMPTS.flatMap((name) => {
    const found = new Set<string>();
    for (let turn = 0; turn < MOST_WORDINGS; turn += 1) {
      const words = book.render(name, values, { channel: 'voice', turn });
      if (found.has(words)) break;
      found.add(words);
    }
    return [...found];
  });
  const known = [greeting.text, ...wordings].map((text) => ` ${plain(text)} `);
  return {
    include(sentence) {
      const wanted = plain(sentence);
      return wanted !== '' && known.some((text) => text.includes(` ${wanted} `));
    },
  };
}

/** Speech comes in sentences of single spaces, whatever the lines of a file are. */
function plain(text: string): string {
  return text.split(/\s+/).filter(Boolean).join(' ');
}
