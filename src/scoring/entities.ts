import type { Turn } from './types.ts';

/** What may be named in a feed line. Order numbers, sums and kinds of product only; nothing that points to a person. */
export interface Entities {
  order?: string;
  amount?: string;
  product?: string;
}

const DIGIT_WORDS: Readonly<Record<string, string>> = {
  zero: '0',
  oh: '0',
  o: '0',
  one: '1',
  two: '2',
  three: '3',
  four: '4',
  five: '5',
  six: '6',
  seven: '7',
  eight: '8',
  nine: '9',
};

const PRODUCTS =
  'headphones|earbuds|laptop|tablet|phone|sim card|sim|router|modem|broadband|internet|wifi|tv|television|camera|printer|monitor|keyboard|console|game|speaker|smart watch|charger|battery|smart bulb|bulbs|fridge|freezer|oven|stove|dishwasher|washing machine|dryer|vacuum|kettle|toaster|coffee machine|boiler|heating|sofa|couch|table|chair|bed|mattress|wardrobe|desk|crib|lamp|shoes|trainers|boots|dress|jacket|coat|shirt|jeans|bag|suitcase|luggage|ring|bracelet|necklace|bike|scooter|car|car hire|flight|train|hotel room|room|tickets|booking|reservation|subscription|membership|contract|invoice|meter|smart meter|card|mortgage|loan|insurance|prescription|food|meal|pizza|cake|groceries|flowers|book|toy|vpn|app|website|account|password|voucher|gift card|loyalty points|parcel|package';
const PRODUCT = new RegExp(
  `\\b(${PRODUCTS.split('|')
    .sort((a, b) => b.length - a.length)
    .join('|')})\\b`,
);

const ORDER_NAMED =
  /\b(?:orders?|order (?:number|no|id|ref|reference))\s*(?:number|no|id|ref|reference)?[\s.:]*(?:is|was|its)?\s*[#:]?\s*([a-z]{0,4}-?\d[\d-]{2,9})\b/i;
/** "my order ... it is number 8812": the number stands apart, and is neither a sum nor a time. */
const ORDER_APART =
  /\border\b[^.!?]{0,40}?\b(?:number|no|is|its|it's)\s+(?:number\s+)?#?([a-z]{0,4}-?\d[\d-]{2,9})\b(?!\s*(?:euros?|dollars?|pounds?|quid|bucks|days|hours|minutes|%))/i;
const ORDER_HASH = /#\s?([a-z]{0,3}-?\d{3,10})\b/i;
const ASKS_ORDER = /order (number|no|id|reference)|which order|number of (the|your) order/;
const AMOUNT_SIGN = /([$€£])\s?(\d{1,3}(?:[.,\s]?\d{3})*(?:[.,]\d{1,2})?)/;
const AMOUNT_WORD =
  /\b(\d{1,3}(?:[.,]\d{3})+|\d{1,6}(?:[.,]\d{1,2})?)\s?(euros?|eur|dollars?|usd|pounds?|gbp|quid|bucks)\b/i;

/** What the conversation names, the newest mention first. */
export function findEntities(turns: readonly Turn[]): Entities {
  const entities: Entities = {};
  for (let at = turns.length - 1; at >= 0; at -= 1) {
    const turn = turns[at];
    if (!turn) continue;
    const text = withoutPersonalData(turn.text);
    const order = findOrder(text, turn.role === 'customer' ? turns[at - 1]?.text : undefined);
    if (order) entities.order ??= order;
    if (turn.role !== 'customer') continue;
    const amount = findAmount(text);
    if (amount) entities.amount ??= amount;
    const product = PRODUCT.exec(text.toLowerCase())?.[1];
    if (product) entities.product ??= product;
  }
  return entities;
}

/** Takes out e-mail addresses, phone numbers and long digit groups (cards, accounts) before anything is looked for. */
export function withoutPersonalData(text: string): string {
  return text
    .replace(/\S+@\S+|\b\S+ at \S+ dot \S+/gi, ' ')
    .replace(/\+\d[\d\s()/-]{6,}\d/g, ' ')
    .replace(/\b0\d[\d\s()/-]{7,}\d\b/g, ' ')
    .replace(/\b\d(?:[ -]?\d){10,}\b/g, ' ');
}

/** A number that is named as an order's, or that answers the question for one; spoken digits count. */
function findOrder(text: string, before: string | undefined): string | undefined {
  const spoken = joinSpokenDigits(text);
  const named =
    ORDER_NAMED.exec(spoken)?.[1] ?? ORDER_APART.exec(spoken)?.[1] ?? ORDER_HASH.exec(spoken)?.[1];
  if (named) return named.toUpperCase().replace(/-$/, '');
  if (before === undefined || !ASKS_ORDER.test(before.toLowerCase())) return undefined;
  return /\b([a-z]{0,4}-?\d[\d-]{2,9})\b/i.exec(spoken)?.[1]?.toUpperCase();
}

/** "one oh four two" and "10 42" as a transcriber writes them become 1042. */
export function joinSpokenDigits(text: string): string {
  const words = text.split(/\s+/);
  const joined: string[] = [];
  for (let at = 0; at < words.length; ) {
    let digits = '';
    let end = at;
    for (; end < words.length; end += 1) {
      const word = (words[end] ?? '').toLowerCase().replace(/[.,]$/, '');
      const digit = DIGIT_WORDS[word];
      if (digit === undefined) break;
      digits += digit;
    }
    if (digits.length >= 3) {
      joined.push(digits);
      at = end;
    } else {
      joined.push(words[at] ?? '');
      at += 1;
    }
  }
  return joined.join(' ');
}

function findAmount(text: string): string | undefined {
  const [, sign, sum] = AMOUNT_SIGN.exec(text) ?? [];
  if (sign && sum) return `${sign}${sum.trim()}`;
  const [, number, unit] = AMOUNT_WORD.exec(text) ?? [];
  return number && unit ? `${number} ${unit.toLowerCase()}` : undefined;
}
