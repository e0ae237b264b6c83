import { extractText, getDocumentProxy, getMeta } from 'unpdf';
import { z } from 'zod';
import { type Block, type ReadDocument, UnreadableDocument } from './block.ts';

/** The text of each page. @throws UnreadableDocument */
export async function readPdf(bytes: Uint8Array): Promise<ReadDocument> {
  // The parser takes the buffer for itself.
  const pdf = await getDocumentProxy(new Uint8Array(bytes)).catch((error: unknown) => {
    const name = error instanceof Error ? error.name : '';
    throw new UnreadableDocument(
      name === 'PasswordException'
        ? 'The PDF is protected by a password. Save it without one.'
        : 'The PDF is damaged. Export it again.',
    );
  });
  try {
    const { text } = await extractText(pdf, { mergePages: false });
    const blocks = text.flatMap((page, index) =>
      page
        .split(/\n\s*\n/)
        .map((paragraph) => paragraph.replace(/\s+/g, ' ').trim())
        .filter((paragraph) => paragraph !== '')
        .map((paragraph): Block => ({ kind: 'text', text: paragraph, page: index + 1 })),
    );
    if (blocks.length === 0) {
      throw new UnreadableDocument(
        'The PDF has no text, only pictures of it. Run text recognition (OCR) over it first.',
      );
    }
    const { info } = await getMeta(pdf);
    const title = z.object({ Title: z.string().trim().min(1) }).safeParse(info);
    return { title: title.success ? title.data.Title : undefined, blocks };
  } finally {
    await pdf.loadingTask.destroy();
  }
}
