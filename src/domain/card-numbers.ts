/** 13 to 19 digits (ISO/IEC 7812-1) that may be grouped by single blanks or hyphens. */
const CANDIDATE = /(?<![\d-])\d(?:[ -]?\d){12,18}(?![\d])/g;

/**
 * Masks payment card numbers, all but the last four digits, before a text reaches the model, the database or
 * an event. Only numbers that pass the Luhn check (ISO/IEC 7812-1, annex B) count, so that order and phone
 * numbers stay readable.
 */
export function maskCardNumbers(text: string): string {
  return text.replace(CANDIDATE, (candidate) => {
    const digits = candidate.replace(/\D/g, '');
    return passesLuhn(digits) ? `[card number ending in ${digits.slice(-4)}]` : candidate;
  });
}

function passesLuhn(digits: string): boolean {
  let sum = 0;
  for (let index = 0; index < digits.length; index += 1) {
    const digit = Number(digits[digits.length - 1 - index]);
    const doubled = index % 2 === 1 ? digit * 2 : digit;
    sum += doubled > 9 ? doubled - 9 : doubled;
  }
  return sum % 10 === 0;
}
