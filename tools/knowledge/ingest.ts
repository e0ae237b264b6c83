import { createHash } from 'node:crypto';
import { readdir, readFile, stat } from 'node:fs/promises';
import { join, relative, resolve } from 'node:path';
import { chunk } from './chunks.ts';
import type { Embeddings } from './embeddings.ts';
import type { Attempt, Library } from './library.ts';
import { UnreadableDocument } from './reading/block.ts';
import { mimeTypeOf, readDocument, titleFromPath } from './reading/read.ts';

const MAX_BYTES = 50 * 1024 * 1024;
const BATCH = 50;

export interface IngestDeps {
  readonly library: Library;
  readonly businessId: string;
  /** Undefined: words only. */
  readonly embeddings: Embeddings | undefined;
  readonly language: string;
  /** What sources are told from: `docs/returns.md` is the same document whoever reads it from here. */
  readonly folder: string;
  readonly say: (line: string) => void;
}

export interface IngestSummary {
  readonly ready: number;
  readonly unchanged: number;
  readonly failed: number;
}

/** Files that can be read, under the paths given; what is hidden is left out. @throws Error for a path that is not there */
export async function findFiles(paths: readonly string[]): Promise<string[]> {
  const found: string[] = [];
  const visit = async (path: string, named: boolean): Promise<void> => {
    const info = await stat(path).catch(() => undefined);
    if (info === undefined && named) throw new Error(`There is nothing at ${path}.`);
    if (info?.isDirectory()) {
      const entries = await readdir(path, { withFileTypes: true });
      for (const entry of entries.sort((a, b) => a.name.localeCompare(b.name))) {
        const hidden = entry.name.startsWith('.') || entry.name === 'node_modules' || entry.isSymbolicLink();
        if (!hidden) await visit(join(path, entry.name), false);
      }
    } else if (info?.isFile() && (named || mimeTypeOf(path) !== undefined)) found.push(path);
  };
  for (const path of paths) await visit(resolve(path), true);
  return [...new Set(found)];
}

/** Reads files into the library one after another; one that can't be read does not stop the others. */
export async function ingest(
  deps: IngestDeps,
  files: readonly string[],
  options: { force: boolean },
): Promise<IngestSummary> {
  const count = { ready: 0, unchanged: 0, failed: 0 };
  const waiting: { file: string; source: string; id: string; bytes: Uint8Array; label: string }[] = [];
  for (const [index, file] of files.entries()) {
    const source = sourceOf(file, deps.folder);
    const label = `[${index + 1}/${files.length}] ${source}`;
    const bytes = await readFile(file).catch(() => undefined);
    if (bytes === undefined) {
      deps.say(`${label}: failed: the file can not be opened`);
      count.failed += 1;
      continue;
    }
    const { outcome, id, chunks } = await deps.library.register(
      deps.businessId,
      {
        source,
        title: titleFromPath(file),
        mime_type: mimeTypeOf(file) ?? 'application/octet-stream',
        byte_size: bytes.byteLength,
        checksum: checksum(bytes, deps),
      },
      options.force,
    );
    if (outcome === 'pending') waiting.push({ file, source, id, bytes, label });
    else {
      deps.say(`${label}: unchanged, ${chunks} chunks`);
      count.unchanged += 1;
    }
  }
  for (const { file, id, bytes, label } of waiting) {
    const attempt = await deps.library.begin(deps.businessId, id);
    const result = await readInto(deps, attempt, file, bytes);
    deps.say(`${label}: ${result.line}`);
    count[result.ok ? 'ready' : 'failed'] += 1;
  }
  return count;
}

async function readInto(
  deps: IngestDeps,
  attempt: Attempt,
  file: string,
  bytes: Uint8Array,
): Promise<{ ok: boolean; line: string }> {
  const { library, language } = deps;
  try {
    if (bytes.byteLength > MAX_BYTES) throw new UnreadableDocument('It is larger than 50 MB. Split it.');
    const document = await readDocument(bytes, mimeTypeOf(file) ?? 'application/octet-stream');
    const chunks = chunk(document.blocks);
    for (let from = 0; from < chunks.length; from += BATCH) {
      const batch = chunks.slice(from, from + BATCH);
      const vectors = await embed(deps, batch);
      const { outcome } = await library.add(attempt, { language, chunks: batch, vectors });
      if (outcome === 'superseded') return { ok: true, line: 'left to another program that reads it too' };
    }
    const done = await library.finish(attempt, document.title, undefined);
    return { ok: true, line: done.outcome === 'ready' ? `ready, ${done.chunks ?? 0} chunks` : done.outcome };
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    await library.finish(attempt, undefined, reason);
    return { ok: false, line: `failed: ${reason}` };
  }
}

async function embed(
  { embeddings }: IngestDeps,
  chunks: readonly { heading: string | undefined; body: string }[],
) {
  if (embeddings === undefined) return undefined;
  const texts = chunks.map(({ heading, body }) => (heading === undefined ? body : `${heading}\n${body}`));
  const found = await embeddings.embed(texts, { timeoutMs: 60_000, attempts: 5 });
  return { model: embeddings.model, embeddings: found };
}

/** Changes when the file does, or how it is read. */
function checksum(bytes: Uint8Array, { language, embeddings }: IngestDeps): string {
  const hash = createHash('sha256').update(bytes).digest('hex');
  return [hash, language, embeddings?.model ?? 'words'].join(' ');
}

export function sourceOf(file: string, folder: string): string {
  const path = relative(folder, file);
  return (path.startsWith('..') || path === '' ? file : path).replaceAll('\\', '/');
}
