/** A stretch of text that is spoken without a pause, and the silence that follows it. */
export interface ClauseText {
  readonly tokens: readonly string[];
  readonly pauseAfterMs: number;
}

const PAUSE_AFTER_SENTENCE_MS = 280;
const PAUSE_AFTER_CLAUSE_MS = 140;

/** What a voice reads: no markup, one line, only characters the synthesiser knows. */
export function speakable(text: string): string {
  return text
    .normalize('NFKD')
    .replace(/[‘’]/g, "'")
    .replace(/[“”]/g, '"')
    .replace(/[–—]/g, ', ')
    .replace(/…/g, '...')
    .replace(/\[([^\]]*)\]\([^)]*\)/g, '$1')
    .replace(/[*_`~#|<>]+/g, ' ')
    .replace(/[^\x20-\x7e]+/g, ' ')
    .replace(/\s+/g, ' ')
    .trim();
}

/**
 * Splits text where a speaker pauses. A single word before a comma stays with what follows: too short a
 * piece is hard to tell from another.
 */
export function splitClauses(text: string): ClauseText[] {
  const clauses: ClauseText[] = [];
  let tokens: string[] = [];
  for (const token of speakable(text).split(' ')) {
    if (token === '') continue;
    tokens.push(token);
    const sentence = /[.!?]["')]*$/.test(token) && !/^(mr|mrs|ms|dr|st|no)\.$/i.test(token);
    const clause = /[,;:]["')]*$/.test(token) && tokens.length > 1;
    if (!sentence && !clause) continue;
    clauses.push({ tokens, pauseAfterMs: sentence ? PAUSE_AFTER_SENTENCE_MS : PAUSE_AFTER_CLAUSE_MS });
    tokens = [];
  }
  if (tokens.length > 0) clauses.push({ tokens, pauseAfterMs: 0 });
  return clauses.filter((clause) => clause.tokens.some((token) => /[a-z0-9]/i.test(token)));
}

/** How long a word takes to say, in letters; digits and signs are read out as words. */
function spokenLength(token: string): number {
  const letters = token.replace(/[^a-z]/gi, '').length;
  const digits = token.replace(/\D/g, '').length;
  const signs = token.replace(/[^$%@&+=/]/g, '').length;
  return Math.max(1, letters + digits * 3.5 + signs * 5) + 0.5;
}

export interface WordTime {
  readonly startMs: number;
  readonly endMs: number;
}

/** Spreads the words of a clause over its duration; near enough for interim results and word times. */
export function spreadWords(tokens: readonly string[], durationMs: number): WordTime[] {
  const total = tokens.reduce((sum, token) => sum + spokenLength(token), 0);
  let elapsed = 0;
  return tokens.map((token) => {
    const startMs = (elapsed / total) * durationMs;
    elapsed += spokenLength(token);
    return { startMs, endMs: (elapsed / total) * durationMs };
  });
}
