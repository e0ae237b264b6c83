import type { Block } from './reading/block.ts';

export interface Chunk {
  readonly position: number;
  /** The headings above it, the outermost first: "Returns › Damaged goods". */
  readonly heading: string | undefined;
  readonly page: number | undefined;
  readonly body: string;
}

/** Small enough to be read in a turn, and to be about one thing. */
const MAX_CHARS = 1_200;

/** Joins what stands under one heading and on one page, and cuts what is too long where a sentence ends. */
export function chunk(blocks: readonly Block[]): Chunk[] {
  const chunks: Chunk[] = [];
  const headings: { level: number; text: string }[] = [];
  let parts: string[] = [];
  let page: number | undefined;
  const flush = () => {
    const body = parts.join('\n');
    parts = [];
    if (body === '') return;
    const heading = headings.map(({ text }) => text).join(' › ') || undefined;
    chunks.push({ position: chunks.length + 1, heading, page, body });
  };
  for (const block of blocks) {
    if (block.kind === 'heading') {
      flush();
      while ((headings.at(-1)?.level ?? 0) >= block.level) headings.pop();
      headings.push(block);
      continue;
    }
    if (block.page !== page) flush();
    page = block.page;
    for (const piece of pieces(block.text)) {
      if (parts.join('\n').length + piece.length > MAX_CHARS) flush();
      parts.push(piece);
    }
  }
  flush();
  return chunks;
}

function pieces(text: string): string[] {
  if (text.length <= MAX_CHARS) return [text];
  const found: string[] = [];
  let piece = '';
  for (const { segment } of new Intl.Segmenter(undefined, { granularity: 'sentence' }).segment(text)) {
    if (piece !== '' && piece.length + segment.length > MAX_CHARS) {
      found.push(piece.trim());
      piece = '';
    }
    piece += segment;
    // A sentence without an end, as tables and lists of figures are.
    while (piece.length > MAX_CHARS) {
      found.push(piece.slice(0, MAX_CHARS));
      piece = piece.slice(MAX_CHARS);
    }
  }
  if (piece.trim() !== '') found.push(piece.trim());
  return found;
}
