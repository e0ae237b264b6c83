import { readdir, readFile } from 'node:fs/promises';
import { PGlite } from '@electric-sql/pglite';
import { vector } from '@electric-sql/pglite/vector';
import { afterAll, beforeAll, expect, test, vi } from 'vitest';
import { embeddingsFrom } from '../../tools/knowledge/embeddings.ts';
import { findFiles, ingest } from '../../tools/knowledge/ingest.ts';
import { Library } from '../../tools/knowledge/library.ts';
import { createKnowledgeServer } from '../../tools/knowledge/server.ts';
import type { Rpc } from '../../tools/serving/rpc.ts';
import { folderWith, startEmbeddings } from './knowledge-fixtures.ts';
import { connectTo } from './shipped-server.ts';

// The embedded PostgreSQL lacks pgvector; this one, PostgreSQL compiled for the same process, brings it.
vi.setConfig({ testTimeout: 120_000, hookTimeout: 300_000 });
const MIGRATIONS = new URL('../../migrations/', import.meta.url);
let db: PGlite;

beforeAll(async () => {
  db = await PGlite.create({ extensions: { vector } });
  const files = (await readdir(MIGRATIONS)).filter((name) => /^\d{4}_.*\.sql$/.test(name)).sort();
  for (const file of files) await db.exec(await readFile(new URL(file, MIGRATIONS), 'utf8'));
});
afterAll(() => db.close());

const rpc: Rpc = async (name, args) => {
  const names = Object.keys(args);
  const list = names.map((key, index) => `${key} => $${index + 1}`).join(', ');
  const { rows } = await db.query<{ result: unknown }>(
    `select public.${name}(${list}) as result`,
    Object.values(args),
  );
  return rows[0]?.result;
};

async function setup() {
  const endpoint = await startEmbeddings();
  const { rows } = await db.query<{ id: string }>(
    `insert into businesses (name, slug) values ('Shop', 'shop-' || md5(random()::text)) returning id`,
  );
  const businessId = rows[0]?.id ?? '';
  const library = new Library(rpc);
  expect(await library.enableVectors()).toEqual({ vectors: true });
  const embeddings = (model: string) =>
    embeddingsFrom(
      {
        KNOWLEDGE_EMBEDDINGS_URL: endpoint.url,
        KNOWLEDGE_EMBEDDINGS_KEY: 'key',
        KNOWLEDGE_EMBEDDINGS_MODEL: model,
      },
      () => Promise.resolve(),
    );
  const folder = await folderWith({
    'money.md': '# Money\n\nWe send your money back within a week.',
    'garage.md': '# Garage\n\nVisitors find a garage behind the house.',
    'hours.md': '# Hours\n\nThe house is open from nine.',
  });
  const read = async (model: string, force = false) => {
    const lines: string[] = [];
    const deps = {
      library,
      businessId,
      embeddings: embeddings(model),
      language: 'english',
      folder,
      say: (line: string) => void lines.push(line),
    };
    return { ...(await ingest(deps, await findFiles([folder]), { force })), lines };
  };
  const reports: string[] = [];
  const serve = (model: string) =>
    connectTo(
      createKnowledgeServer(library, businessId, {
        embeddings: embeddings(model),
        language: 'english',
        report: (line) => void reports.push(line),
      }),
    );
  return { endpoint, read, serve, reports };
}

test('finds by meaning what no word of the question says, and first what both say', async () => {
  const { read, serve, endpoint } = await setup();
  expect(await read('m')).toMatchObject({ ready: 3, failed: 0 });
  expect(endpoint.asked).toContain('Garage\nVisitors find a garage behind the house.');
  const { call } = await serve('m');
  const parking = await call('search_knowledge', { query: 'parking for my car' });
  expect(parking.data.searched_by).toBe('words and meaning');
  expect(parking.data.results[0]).toMatchObject({ source: 'garage.md', found_by: 'meaning' });
  const both = await call('search_knowledge', { query: 'garage' });
  expect(both.data.results[0]).toMatchObject({ source: 'garage.md', found_by: 'both' });
});

test('falls back to words when the endpoint fails, and never compares vectors of two models', async () => {
  const { read, serve, endpoint, reports } = await setup();
  await read('m');
  expect(await read('m')).toMatchObject({ ready: 0, unchanged: 3 });
  const { call } = await serve('another');
  expect((await call('search_knowledge', { query: 'parking for my car' })).data.results).toEqual([]);
  expect(await read('another')).toMatchObject({ ready: 3 });
  const found = await call('search_knowledge', { query: 'parking for my car' });
  expect(found.data.results[0].source).toBe('garage.md');

  endpoint.down();
  const words = await call('search_knowledge', { query: 'money' });
  expect(words.data).toMatchObject({ searched_by: 'words', results: [{ source: 'money.md' }] });
  expect(reports.join()).toContain('answered 401');
  expect(await read('another', true)).toMatchObject({ ready: 0, failed: 3 });
  expect((await call('search_knowledge', { query: 'money' })).data.results).toHaveLength(1);
});
