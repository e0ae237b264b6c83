/** What a customer's words ask for, by plain patterns: a script, not an understanding. */

const DIGIT_WORDS: Record<string, string> = {
  zero: '0',
  oh: '0',
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

export type Matter = 'refund' | 'cancel' | 'track' | 'look up';

export const MATTER_TOOLS: Record<Matter, string> = {
  refund: 'refund_order',
  cancel: 'cancel_order',
  track: 'track_shipping',
  'look up': 'find_order',
};

/** "one, zero, four, two" → "1042", so that an order number may be said digit by digit. */
export function withDigits(text: string): string {
  const word = Object.keys(DIGIT_WORDS).join('|');
  const run = new RegExp(`\\b(?:${word})(?:[\\s,.-]+(?:${word}))+\\b`, 'gi');
  return text
    .replace(run, (digits) =>
      digits
        .toLowerCase()
        .split(/[\s,.-]+/)
        .map((digit) => DIGIT_WORDS[digit] ?? '')
        .join(''),
    )
    .replace(/\b\d(?:[\s,]+\d){3,}\b/g, (digits) => digits.replace(/\D/g, ''));
}

/** A phone number as somebody writes it, with + or 00 if they gave the country; undefined if there is none. */
export function phoneNumberIn(text: string): string | undefined {
  const found = /(?:\+|\b00)?\(?\d[\d\s().-]{6,}\d/.exec(withDigits(text))?.[0];
  if (found === undefined) return undefined;
  const digits = found.replace(/[^\d+]/g, '').replace(/^00/, '+');
  return digits.replace('+', '').length >= 8 ? digits : undefined;
}

export function orderNumberIn(text: string): string | undefined {
  const plain = withDigits(text).replace(/(?:\+|\b00)?\(?\d[\d\s().-]{6,}\d/g, ' ');
  return (
    /\border(?:\s+(?:number|no\.?|id))?(?:\s+is)?\s*[:#]?\s*([A-Z]{0,4}-?\d{3,7})\b/i.exec(plain)?.[1] ??
    /#\s*([A-Z]{0,4}-?\d{3,7})\b/i.exec(plain)?.[1] ??
    /\b([A-Z]{1,4}-\d{3,7}|\d{4,7})\b/.exec(plain)?.[1]
  );
}

const TRACK =
  /\bwhere(?:'s| is| are)\b|\btrack|\bshipping\b|\bshipped\b|\bwhen (?:will|does|is)\b.*\b(?:arrive|come|deliver)|\b(?:hasn't|has not|haven't|not|never) (?:yet )?(?:been )?(?:arrived?|delivered|come|received)\b|\b(?:parcel|package|delivery) (?:is|hasn't|has not)\b/i;

export function matterOf(text: string): Matter | undefined {
  if (/\brefund|\bmoney back|\breimburse/i.test(text)) return 'refund';
  if (/\bcancel/i.test(text)) return 'cancel';
  if (TRACK.test(text)) return 'track';
  if (/\bstatus\b|\blook up\b|\bcheck (?:on )?my order|\bwhat(?:'s| is) in\b|\bmy order\b/i.test(text))
    return 'look up';
  return undefined;
}

const patterns = {
  yes: /^\W*(?:yes|yeah|yep|yup|sure|ok(?:ay)?|correct|right|exactly|go ahead|please do|do it|i do|absolutely|of course|that's (?:right|correct)|please go ahead|please[.!]*$)(?:\b|$)/i,
  no: /^\W*(?:no|nope|nah|don't|do not|not now|rather not)\b/i,
  bye: /\b(?:good ?bye|bye|that(?:'s| is| was) (?:all|it|everything)|nothing else|have a (?:nice|good) (?:day|one)|hang up)\b/i,
  thanks: /\b(?:thanks|thank you|cheers|great|perfect|lovely)\b/i,
  greeting: /^\W*(?:hi|hello|hey|good (?:morning|afternoon|evening))\b/i,
  human:
    /\b(?:human|real person|a person|someone real|supervisor|manager|representative|operator|somebody else|someone else|speak to (?:a|your)|talk to (?:a|your)|colleague)\b/i,
  identity:
    /\b(?:are you|is this|am i (?:talking|speaking|chatting))\b.*\b(?:ai|a\.i\.|robot|bot|human|person|real|machine|computer|who)\b|\bwho are you\b/i,
  withdraw:
    /\bnever ?mind|\bforget (?:it|about|the)|\bchanged my mind|\b(?:drop|withdraw|stop|take back) (?:it|the|that|my)|\bdon't (?:want|need) (?:it|the|that|a)|\bleave it\b|\bno longer (?:want|need)/i,
  upset:
    /\b(?:angry|ridiculous|unacceptable|terrible|awful|worst|useless|disappoint|fed up|annoy|furious|joke|complain)/i,
} as const;

export type Sign = keyof typeof patterns;

export function says(sign: Sign, text: string): boolean {
  return patterns[sign].test(text);
}
