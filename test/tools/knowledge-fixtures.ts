import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { onTestFinished } from 'vitest';
import { z } from 'zod';

/** A folder with these files, gone after the test. */
export async function folderWith(files: Readonly<Record<string, string | Uint8Array>>): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'floorwalker-knowledge-'));
  onTestFinished(() => rm(folder, { recursive: true, force: true }));
  for (const [name, content] of Object.entries(files)) {
    await mkdir(dirname(join(folder, name)), { recursive: true });
    await writeFile(join(folder, name), content);
  }
  return folder;
}

/** The smallest PDF that has these pages; a page without text has none at all. */
export function pdf(pages: readonly string[], title: string): Uint8Array {
  const kids = pages.map((_, index) => `${4 + 2 * index} 0 R`).join(' ');
  const objects = [
    '<< /Type /Catalog /Pages 2 0 R >>',
    `<< /Type /Pages /Kids [${kids}] /Count ${pages.length} >>`,
    '<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica >>',
    ...pages.flatMap((text, index) => {
      const stream = text === '' ? '' : `BT /F1 12 Tf 72 720 Td (${text}) Tj ET`;
      return [
        `<< /Type /Page /Parent 2 0 R /MediaBox [0 0 612 792] /Resources << /Font << /F1 3 0 R >> >> /Contents ${5 + 2 * index} 0 R >>`,
        `<< /Length ${stream.length} >>\nstream\n${stream}\nendstream`,
      ];
    }),
    `<< /Title (${title}) >>`,
  ];
  let file = '%PDF-1.4\n';
  const offsets = objects.map((object, index) => {
    const offset = file.length;
    file += `${index + 1} 0 obj\n${object}\nendobj\n`;
    return offset;
  });
  const start = file.length;
  const entries = offsets.map((offset) => `${String(offset).padStart(10, '0')} 00000 n \n`).join('');
  file += `xref\n0 ${objects.length + 1}\n0000000000 65535 f \n${entries}trailer\n<< /Size ${objects.length + 1} /Root 1 0 R /Info ${objects.length} 0 R >>\nstartxref\n${start}\n%%EOF\n`;
  return new TextEncoder().encode(file);
}

/** Each word stands for a meaning; words of one meaning have the same number. */
const MEANINGS: Readonly<Record<string, number>> = {
  refund: 0,
  money: 0,
  back: 0,
  reimbursement: 0,
  parking: 1,
  car: 1,
  garage: 1,
  vehicle: 1,
  opening: 2,
  hours: 2,
  open: 2,
  closed: 2,
};

/** An OpenAI-compatible endpoint whose vectors say which of three meanings a text has. */
export async function startEmbeddings(): Promise<{ url: string; asked: string[]; down(): void }> {
  const asked: string[] = [];
  let isDown = false;
  const bodySchema = z.object({ input: z.array(z.string()) });
  const server = createServer((request, response) => {
    void (async () => {
      let text = '';
      for await (const chunk of request) text += String(chunk);
      if (isDown || request.headers.authorization !== 'Bearer key') return void response.writeHead(401).end();
      const { input } = bodySchema.parse(JSON.parse(text));
      asked.push(...input);
      const data = input.map((words, index) => {
        const embedding = [0.01, 0.01, 0.01];
        for (const word of words.toLowerCase().match(/[a-z]+/g) ?? []) {
          const meaning = MEANINGS[word];
          if (meaning !== undefined) embedding[meaning] = (embedding[meaning] ?? 0) + 1;
        }
        return { index, embedding };
      });
      response.writeHead(200, { 'content-type': 'application/json' }).end(JSON.stringify({ data }));
    })();
  });
  await new Promise<void>((resolve) => {
    server.listen(0, '127.0.0.1', resolve);
  });
  onTestFinished(async () => {
    server.closeAllConnections();
    await new Promise((resolve) => {
      server.close(resolve);
    });
  });
  const down = () => {
    isDown = true;
  };
  return { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/v1`, asked, down };
}
