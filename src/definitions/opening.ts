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

function agentValues(facts: OpeningFacts): { values: AgentValues; problems: string[] } {
  const problems: string[] = [];
  const { locale, timeZone } = usableLocale(facts, problems);
  return {
    values: {
      agent_name: facts.agent.name,
      business_name: facts.business.name,
      channel: facts.channel,
      customer_name: facts.customer.name ?? '',
      customer_phone: facts.customer.phoneNumber ?? '',
      local_date: new Intl.DateTimeFormat(locale, { timeZone, dateStyle: 'full' }).format(facts.now),
      local_time: new Intl.DateTimeFormat(locale, { timeZone, timeStyle: 'short' }).format(facts.now),
      time_zone: timeZone,
    },
    problems,
  };
}

function usableLocale(facts: OpeningFacts, problems: string[]): { locale: string; timeZone: string } {
  let locale = facts.agent.language;
  let timeZone = facts.business.timeZone;
  try {
    new Intl.DateTimeFormat(locale);
  } catch {
    problems.push(`"${locale}" is not a language tag`);
    locale = 'en';
  }
  try {
    new Intl.DateTimeFormat(locale, { timeZone });
  } catch {
    problems.push(`"${timeZone}" is not a time zone`);
    timeZone = 'UTC';
  }
  return { locale, timeZone };
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
