import { readText } from './text.ts';

/** A stretch of an utterance: a phrase that the lexicon knows, with what it means, or a single other word. */
export interface Item {
  word: string;
  concepts: readonly string[];
  /** True when a negation stands shortly before it. */
  negated: boolean;
}

interface Node {
  next: Map<string, Node>;
  concepts: string[];
}

/** Concepts that a negation does not turn round, or that contain their own. */
const UNNEGATED =
  /^(NEGATOR|INTENSIFIER|YOU|ME|THEY|OK_WORD|NO_WORD|POLITE|GREETING|QUESTION_WORD|INFO_|CONTRAST)/;

/** Finds the phrases of `model/concepts.txt` in a list of words, the longest first. */
export class ConceptMatcher {
  readonly #customer: Node = { next: new Map(), concepts: [] };
  readonly #agent: Node = { next: new Map(), concepts: [] };
  readonly #vocabulary = new Set<string>();
  readonly #nearMisses = new Map<string, string>();

  /** `lexicon` is the text of the file; `extraWords` are known words that are in no phrase. */
  constructor(lexicon: string, extraWords: Iterable<string> = []) {
    for (const line of lexicon.split('\n')) {
      const [, name, phrases] = /^([A-Z_]+): (.*)$/.exec(line) ?? [];
      if (!name || !phrases) continue;
      for (const phrase of phrases.split(' | ')) this.#add(name, phrase);
    }
    for (const word of extraWords) this.#vocabulary.add(word);
    for (const word of this.#vocabulary) {
      if (word.length < 5) continue;
      for (const variant of deletions(word)) this.#nearMisses.set(variant, word);
    }
  }

  items(words: readonly string[], speaker: 'customer' | 'agent'): Item[] {
    const corrected = words.map((word) => this.correct(word));
    const root = speaker === 'agent' ? this.#agent : this.#customer;
    const items: Item[] = [];
    let negatedUntil = -1;
    for (let at = 0; at < corrected.length; ) {
      const { length, concepts } = longestMatch(root, corrected, at);
      const negated = items.length <= negatedUntil && !concepts.every((name) => UNNEGATED.test(name));
      items.push({ word: corrected.slice(at, at + length).join('_'), concepts, negated });
      if (concepts.includes('NEGATOR')) negatedUntil = items.length + 2;
      at += length;
    }
    return items;
  }

  /** A misspelt word of five letters or more becomes the known word one letter away. */
  correct(word: string): string {
    if (word.length < 5 || this.#vocabulary.has(word)) return word;
    const direct = this.#nearMisses.get(word);
    if (direct) return direct;
    for (const variant of deletions(word)) {
      if (variant.length >= 5 && this.#vocabulary.has(variant)) return variant;
      const near = this.#nearMisses.get(variant);
      if (near && near.length === word.length && word.length >= 6) return near;
    }
    return word;
  }

  #add(name: string, phrase: string): void {
    const literal = phrase.trim();
    const words = phrase.startsWith('#')
      ? hashWords(phrase)
      : readText(literal.replaceAll(' # ', ' 7 ')).words;
    if (words.length === 0) return;
    let node = name.startsWith('A_') ? this.#agent : this.#customer;
    for (const word of words) {
      this.#vocabulary.add(word);
      let next = node.next.get(word);
      if (!next) {
        next = { next: new Map(), concepts: [] };
        node.next.set(word, next);
      }
      node = next;
    }
    if (!node.concepts.includes(name)) node.concepts.push(name);
  }
}

function hashWords(phrase: string): string[] {
  const [first = '', ...rest] = phrase.split(' ');
  return [/^#(th|rd|nd)$/.test(first) ? '#th' : '#', ...readText(rest.join(' ').replaceAll('#', '7')).words];
}

function longestMatch(
  root: Node,
  words: readonly string[],
  at: number,
): { length: number; concepts: string[] } {
  let best: { length: number; concepts: string[] } = { length: 1, concepts: [] };
  let node: Node | undefined = root;
  for (let end = at; end < words.length; end += 1) {
    node = node.next.get(words[end] ?? '');
    if (!node) break;
    if (node.concepts.length > 0) best = { length: end - at + 1, concepts: node.concepts };
  }
  return best;
}

function* deletions(word: string): Generator<string> {
  for (let at = 1; at < word.length; at += 1) yield word.slice(0, at) + word.slice(at + 1);
}
