/**
 * Reads an utterance the same way whether it was typed with capitals and punctuation or came from a
 * transcriber without either: words are what counts, punctuation only adds to it.
 */
export interface ReadText {
  /** Words reduced to a common form; numbers are `#`, emoji stand for themselves. */
  words: string[];
  exclamations: number;
  questionMarks: number;
  ellipses: number;
  quoted: number;
  /** Words of three letters or more that are all capitals. */
  shouted: number;
  sentences: number;
}

const WORD =
  /\p{Extended_Pictographic}(?:\uFE0F|\u200D\p{Extended_Pictographic}\uFE0F?)*|<3|[:;]-?[()/dp](?![a-z])|[\p{L}\d]+/gu;
const FILLERS = new Set(['um', 'umm', 'uh', 'uhh', 'uhm', 'er', 'erm', 'err', 'hm', 'mm', 'eh']);
const NUMBER_WORDS = new Set(
  (
    'two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen seventeen ' +
    'eighteen nineteen twenty thirty forty fifty sixty seventy eighty ninety hundred thousand zero'
  ).split(' '),
);
const ORDINAL_WORDS = new Set('third fourth fifth sixth seventh eighth ninth tenth umpteenth'.split(' '));
/** Words whose ending is part of them. */
const UNSTEMMED = new Set(
  (
    'this is was has does his its us yes as thus plus bus always perhaps less unless nothing something anything ' +
    'everything thing things bring king ring sing during morning evening need feed speed indeed bed red led used ' +
    'sometimes news address business process across ours yours theirs thanks cheers regards yourself please ' +
    'one none done gone some come here there where were these those same time fine line nice sure else are we me he she the be'
  ).split(' '),
);

export function readText(text: string): ReadText {
  const clean = text.replace(/[\u2018\u2019\u02BC`]/g, "'").replace(/[\u201C\u201D]/g, '"');
  const words: string[] = [];
  for (const match of clean
    .toLowerCase()
    .replace(/(\p{L})'(\p{L})/gu, '$1$2')
    .replace(/(\d)[.,:](?=\d)/g, '$1')
    .matchAll(WORD)) {
    const word = normaliseWord(match[0]);
    if (word && !(word === '#' && words.at(-1) === '#')) words.push(word);
  }
  return {
    words,
    exclamations: count(clean, /!/g),
    questionMarks: count(clean, /\?/g),
    ellipses: count(clean, /\.\.|…/g),
    quoted: count(clean, /"[^"]+"|(?<=\s|^)'[^']{2,}'(?=[\s.,!?]|$)/g),
    shouted: count(clean, /(?<![\p{L}\d])\p{Lu}{3,}(?![\p{L}\d])/gu),
    sentences: Math.max(1, count(clean, /[.!?…]+(?=\s|$)/g)),
  };
}

/** One word in the form in which lexicon, training material and conversations are compared; empty for fillers. */
export function normaliseWord(raw: string): string {
  if (FILLERS.has(raw) || /^h+m+$/.test(raw)) return '';
  if (/^\d+$/.test(raw) || NUMBER_WORDS.has(raw)) return '#';
  if (/^\d+(st|nd|rd|th)$/.test(raw) || ORDINAL_WORDS.has(raw)) return '#th';
  if (/^\d+(st|nd|rd|th)?[a-z]*\d*$/.test(raw)) return '#';
  return stem(raw.replace(/(.)\1{2,}/gu, '$1'));
}

/** Light stemming: endings of inflection only, so that "arrive", "arrived" and "arriving" meet. */
export function stem(word: string): string {
  if (word.length <= 3 || UNSTEMMED.has(word)) return word;
  let base = word;
  if (base.endsWith('ies') && base.length > 4) base = `${base.slice(0, -3)}y`;
  else if (base.endsWith('sses')) base = base.slice(0, -2);
  else if (base.endsWith('s') && !/(ss|us|is)$/.test(base)) base = base.slice(0, -1);
  if (base.endsWith('ing') && /[aeiouy]/.test(base.slice(0, -3)) && base.length > 5)
    base = undouble(base.slice(0, -3));
  else if (base.endsWith('ied') && base.length > 4) base = `${base.slice(0, -3)}y`;
  else if (base.endsWith('ed') && /[aeiouy]/.test(base.slice(0, -2)) && base.length > 4)
    base = undouble(base.slice(0, -2));
  if (base.length > 3 && base.endsWith('e')) base = base.slice(0, -1);
  return base;
}

function undouble(base: string): string {
  return /([bdgklmnprt])\1$/.test(base) && !/(ll|ss|ff)$/.test(base) ? base.slice(0, -1) : base;
}

function count(text: string, pattern: RegExp): number {
  return text.match(pattern)?.length ?? 0;
}
