import { basename, extname } from 'node:path';
import { marked } from 'marked';
import { type ReadDocument, UnreadableDocument } from './block.ts';
import { readHtml } from './html.ts';
import { readPdf } from './pdf.ts';

export const MIME_TYPES: Readonly<Record<string, string>> = {
  '.md': 'text/markdown',
  '.markdown': 'text/markdown',
  '.html': 'text/html',
  '.htm': 'text/html',
  '.txt': 'text/plain',
  '.text': 'text/plain',
  '.pdf': 'application/pdf',
};

export function mimeTypeOf(path: string): string | undefined {
  return MIME_TYPES[extname(path).toLowerCase()];
}

/** Headings and text of a file. @throws UnreadableDocument with a reason for whoever wants it read */
export async function readDocument(bytes: Uint8Array, mimeType: string): Promise<ReadDocument> {
  const document = await readAs(bytes, mimeType);
  if (!document.blocks.some(({ kind }) => kind === 'text')) {
    throw new UnreadableDocument('There is no text in it.');
  }
  return document;
}

async function readAs(bytes: Uint8Array, mimeType: string): Promise<ReadDocument> {
  switch (mimeType) {
    case 'application/pdf':
      return readPdf(bytes);
    case 'text/html':
      return readHtml(decode(bytes));
    case 'text/markdown': {
      const { title, body } = frontMatter(decode(bytes));
      const document = readHtml(await marked.parse(body, { async: true }));
      return { ...document, title: title ?? document.title };
    }
    case 'text/plain':
      return {
        title: undefined,
        blocks: decode(bytes)
          .split(/\r?\n\s*\n/)
          .map((text) => text.replace(/\s+/g, ' ').trim())
          .filter((text) => text !== '')
          .map((text) => ({ kind: 'text', text })),
      };
    default:
      throw new UnreadableDocument(`Files of the kind ${mimeType} can not be read.`);
  }
}

/** Without a title of its own, a document is called as its file: "opening-hours.md" is "opening hours". */
export function titleFromPath(path: string): string {
  return basename(path, extname(path)).replace(/[-_]+/g, ' ').trim() || path;
}

/** UTF-8, or what old programs on Windows write. */
function decode(bytes: Uint8Array): string {
  if (bytes.includes(0)) throw new UnreadableDocument('It is no text: it has bytes that no text has.');
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(bytes);
  } catch {
    return new TextDecoder('windows-1252').decode(bytes);
  }
}

function frontMatter(text: string): { title: string | undefined; body: string } {
  const found = /^---\r?\n([\s\S]*?)\r?\n---\r?\n/.exec(text);
  if (!found) return { title: undefined, body: text };
  const title = /^title:\s*["']?(.+?)["']?\s*$/m.exec(found[1] ?? '')?.[1];
  return { title, body: text.slice(found[0].length) };
}
