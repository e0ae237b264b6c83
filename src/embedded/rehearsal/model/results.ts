import type { PastCall } from './conversation.ts';
import { shopSentence } from './order-facts.ts';

const SPOKEN_TOOLS: Record<string, string> = {
  find_order: 'look up the order',
  track_shipping: 'check the shipping',
  refund_order: 'make the refund',
  cancel_order: 'cancel the order',
  record_phone_number: 'save your phone number',
  request_supervisor: 'call a colleague',
};

export type Outcome =
  | 'succeeded'
  | 'denied'
  | 'timeout'
  | 'withdrawn'
  | 'unavailable'
  | 'unknown'
  | 'phone needed'
  | 'failed';

/** What became of a call, read from the words that the model is given; a model has nothing else either. */
export function outcomeOf(output: string): Outcome {
  const head = output.slice(0, 400);
  if (/outcome is unknown|not known whether|may or may not have/i.test(head)) return 'unknown';
  if (
    /did not allow|denied|not approved\.|was refused by/i.test(head) &&
    !/nobody decided|in time/i.test(head)
  )
    return 'denied';
  if (/nobody decided|answered in time|timed? ?out.*(?:decision|permission|approv)/i.test(head))
    return 'timeout';
  if (/\bwithdrawn\b/i.test(head)) return 'withdrawn';
  if (/phone number of the customer, which is not known|needs? (?:the|a|your) phone number/i.test(head))
    return 'phone needed';
  if (/not available at the moment|\bunavailable\b|unreachable/i.test(head)) return 'unavailable';
  if (
    /^Not \w+\b[:\s]|^There (?:is|are) no |^The tool reported an error|^That did not work|"error"\s*:/i.test(
      head,
    )
  )
    return 'failed';
  return 'succeeded';
}

/** What the agent says about a result: the same words every time, so that one already said is recognised. */
export function reportOf(call: PastCall): string {
  const output = call.output ?? '';
  const act = SPOKEN_TOOLS[call.name] ?? `use ${call.name.replaceAll('_', ' ')}`;
  const note = noteIn(output);
  switch (outcomeOf(output)) {
    case 'denied':
      return `I'm sorry, I was not allowed to ${act}.${note ? ` The reason I was given: ${note}.` : ''} I can look into something else for you, or ask a colleague to join us.`;
    case 'timeout':
      return `I'm sorry, nobody could approve it in time, so I could not ${act}. Nothing was changed. I can try once more, or ask a colleague to join us.`;
    case 'withdrawn':
      return 'All right, I have taken the request back and nothing was changed. Is there anything else I can do for you?';
    case 'unavailable':
      return `I'm sorry, I can't ${act} at the moment because that system is not available. I can ask a colleague to join us.`;
    case 'unknown':
      return `I can't tell yet whether it worked to ${act}, so I won't try it again. A colleague has to check it; shall I ask one to join us?`;
    case 'phone needed':
      return 'I need your phone number first. Could you give it to me with the country code?';
    case 'failed':
      return `I'm sorry, I could not ${act}. ${explain(output)}Is there something else I can do?`;
    case 'succeeded':
      return successOf(call.name, output);
  }
}

function successOf(name: string, output: string): string {
  if (name === 'record_phone_number') return 'Thank you, I have saved your phone number.';
  if (name === 'request_supervisor') {
    return /no supervisor|nobody|not? .*(?:online|present|available)/i.test(output)
      ? 'I have asked for a colleague, but nobody is there right now. I can go on helping you in the meantime.'
      : 'I have asked a colleague to join us. Please give them a moment.';
  }
  if (name === 'end_interaction') return 'Goodbye.';
  if (name === 'withdraw_request') return 'All right, I have taken the request back.';
  const edited = /allowed (?:it|\w+) with (?:other|changed) arguments/i.test(output);
  const plain = output.replace(/^.*allowed (?:it|\w+) with .*$/im, '');
  const sentence = shopSentence(name, plain);
  const facts = sentence === undefined ? factsIn(plain) : `${sentence} `;
  if (name === 'refund_order') {
    return `Good news: the refund went through${edited ? ', with a change made by my colleague' : ''}. ${facts}Is there anything else I can do for you?`;
  }
  if (name === 'cancel_order') {
    return `Done: the order is cancelled${edited ? ', with a change made by my colleague' : ''}. ${facts}Is there anything else I can do for you?`;
  }
  if (name === 'track_shipping')
    return `Here is what I see about the shipping. ${facts}Is there anything else?`;
  if (name === 'find_order') return `I found your order. ${facts}`.trim();
  return `This is what I found. ${facts}`.trim();
}

function noteIn(output: string): string | undefined {
  const note = /(?:note[^:\n]*|reason)[^:\n]*:\s*"((?:[^"\\]|\\.)*)"/i.exec(output)?.[1];
  return note?.replace(/\\(.)/g, '$1').replace(/[.\s]+$/, '');
}

function explain(output: string): string {
  const line = output
    .replace(/^(?:Not (?:done|run):|The tool reported an error:|That did not work:)\s*/i, '')
    .split(/\n|(?<=[.!?])\s/)[0]
    ?.trim();
  return line ? `${line.slice(0, 160).replace(/[.!?]?$/, '.')} ` : '';
}

// Keys that say nothing to a customer, or that they must not hear.
const SILENT_KEYS =
  /(?:^|_)(?:id|uuid|key|idempotency|business|customer|phone|email|created_at|updated_at|currency|sku)(?:_|$)|^ok$|^success$/i;
const MOST_FACTS = 6;

/** Puts a JSON result into a few plain sentences; text stays text. */
function factsIn(output: string): string {
  const text = output.trim();
  if (text === '') return '';
  try {
    const facts = flatten(JSON.parse(text)).slice(0, MOST_FACTS);
    return facts.length === 0 ? '' : `${facts.join('; ')}. `.replace(/^./, (first) => first.toUpperCase());
  } catch {
    const short = text.replace(/\s+/g, ' ').slice(0, 300);
    return `${short.replace(/[.!?]?$/, '.')} `;
  }
}

function flatten(value: unknown, label = ''): string[] {
  if (value === null || value === undefined || value === '') return [];
  if (Array.isArray(value)) {
    const parts = value
      .slice(0, 4)
      .map((part) => oneLine(part))
      .filter((part) => part !== '');
    return parts.length === 0 ? [] : [`${label || 'found'}: ${parts.join(', ')}`];
  }
  if (typeof value !== 'object') return [`${label || 'result'}: ${String(value)}`];
  return Object.entries(value).flatMap(([key, part]) => {
    if (SILENT_KEYS.test(key)) return [];
    return flatten(part, typeof part === 'object' && !Array.isArray(part) ? '' : key.replaceAll('_', ' '));
  });
}

function oneLine(value: unknown): string {
  if (typeof value !== 'object' || value === null) return value === null ? '' : String(value);
  const record = new Map(Object.entries(value));
  const name =
    record.get('name') ?? record.get('title') ?? record.get('product') ?? record.get('description');
  const quantity = record.get('quantity');
  if (typeof name === 'string')
    return typeof quantity === 'number' && quantity > 1 ? `${quantity} × ${name}` : name;
  return flatten(value).join(' ');
}
