import { LRUCache } from 'lru-cache';
import type { PromptBook, PromptChannel } from './prompts.ts';
import { renderLeniently, type TemplateValues } from './template.ts';

/**
 * The variables that an agent's `system_prompt` and `greeting` may use. They are filled when the interaction
 * begins; `customer_name` and `customer_phone` are empty until known.
 */
export const AGENT_VARIABLES = [
  'agent_name',
  'business_name',
  'channel',
  'customer_name',
  'customer_phone',
  'local_date',
  'local_time',
  'time_zone',
] as const;

/** What is known when an interaction begins. */
export interface OpeningFacts {
  agent: { name: string; systemPrompt: string; greeting: string | null; language: string };
  business: { name: string; timeZone: string };
  customer: {
    name: string | null;
    phoneNumber: string | null;
    phoneSource: 'claimed' | 'sip' | 'verified' | null;
  };
  channel: PromptChannel;
  now: Date;
}

export interface OpeningText {
  text: string;
  /** What could not be filled, for the log: the texts may have been edited since they were checked. */
  problems: readonly string[];
}

/** Everything the model is told before the conversation begins. */
export function renderSystemPrompt(book: PromptBook, facts: OpeningFacts): OpeningText {
  const { values, problems: valueProblems } = agentValues(facts);
  const own = renderLeniently(facts.agent.systemPrompt, values);
  const text = book.render('system', {
    agent_prompt: own.text,
    agent_name: facts.agent.name,
    business_name: facts.business.name,
    channel: facts.channel,
    channel_rules: book.render(`channel_rules_${facts.channel}`, {}),
    tool_rules: book.render('tool_rules', {}),
    language: facts.agent.language,
    customer_name: facts.customer.name ?? '',
    customer_phone: facts.customer.phoneNumber ?? '',
    phone_verified: isVerified(facts.customer.phoneSource) ? 'yes' : '',
    local_date: values.local_date,
    local_time: values.local_time,
    time_zone: values.time_zone,
  });
  return { text, problems: [...valueProblems, ...own.problems] };
}

/** The first words to the customer. The disclosure is always part of them, whatever the agent's own greeting is. */
export function renderGreeting(book: PromptBook, facts: OpeningFacts): OpeningText {
  const { values, problems } = agentValues(facts);
  const own =
    facts.agent.greeting === null || facts.agent.greeting.trim() === ''
      ? { text: book.render('greeting', values, { channel: facts.channel }), problems: [] }
      : renderLeniently(facts.agent.greeting, values);
  const disclosure = book.render(
    'greeting_disclosure',
    { business_name: facts.business.name },
    { channel: facts.channel },
  );
  // The disclosure goes before the question that greetings end with: what is said last is what gets answered.
  const { statement, question } = splitClosingQuestion(own.text);
  const text = [statement, disclosure, question].filter((part) => part !== '').join(' ');
  return { text, problems: [...problems, ...own.problems] };
}

type AgentValues = Readonly<Record<(typeof AGENT_VARIABLES)[number], string>> & TemplateValues;

function agentValues(facts: OpeningFacts): { values: AgentValues; problems: readonly string[] } {
  const { timeZone, date, time, problems } = dateFormats(facts.agent.language, facts.business.timeZone);
  return {
    values: {
      agent_name: facts.agent.name,
      business_name: facts.business.name,
      channel: facts.channel,
      customer_name: facts.customer.name ?? '',
      customer_phone: facts.customer.phoneNumber ?? '',
      local_date: date.format(facts.now),
      local_time: time.format(facts.now),
      time_zone: timeZone,
    },
    problems,
  };
}

interface DateFormats {
  readonly timeZone: string;
  readonly date: Intl.DateTimeFormat;
  readonly time: Intl.DateTimeFormat;
  readonly problems: readonly string[];
}

/** By language and time zone: making them takes more than a millisecond, and they are wanted twice for each conversation. */
const FORMATS = new LRUCache<string, DateFormats>({ max: 100 });

function dateFormats(language: string, zone: string): DateFormats {
  const key = `${language} ${zone}`;
  const known = FORMATS.get(key);
  if (known) return known;
  const locale = isUsable(() => new Intl.DateTimeFormat(language)) ? language : 'en';
  const timeZone = isUsable(() => new Intl.DateTimeFormat(locale, { timeZone: zone })) ? zone : 'UTC';
  const problems = [
    ...(locale === language ? [] : [`"${language}" is not a language tag`]),
    ...(timeZone === zone ? [] : [`"${zone}" is not a time zone`]),
  ];
  const made = {
    timeZone,
    date: new Intl.DateTimeFormat(locale, { timeZone, dateStyle: 'full' }),
    time: new Intl.DateTimeFormat(locale, { timeZone, timeStyle: 'short' }),
    problems,
  };
  FORMATS.set(key, made);
  return made;
}

function isUsable(make: () => unknown): boolean {
  try {
    make();
    return true;
  } catch {
    return false;
  }
}

/** A number is proof of who somebody is only when the telephone network or a check of ours vouches for it. */
function isVerified(source: OpeningFacts['customer']['phoneSource']): boolean {
  return source === 'sip' || source === 'verified';
}

function splitClosingQuestion(text: string): { statement: string; question: string } {
  const match = /^([\s\S]*[.!?])\s+([^.!?]+\?)$/.exec(text);
  return match === null
    ? { statement: text, question: '' }
    : { statement: match[1] ?? '', question: match[2] ?? '' };
}
