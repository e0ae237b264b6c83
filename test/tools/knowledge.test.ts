import { rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';
import { chunk } from '../../tools/knowledge/chunks.ts';
import { runCommand } from '../../tools/knowledge/commands.ts';
import { Library } from '../../tools/knowledge/library.ts';
import { readDocument } from '../../tools/knowledge/reading/read.ts';
import { createKnowledgeServer, languageFrom } from '../../tools/knowledge/server.ts';
import type { Environment } from '../../tools/serving/settings.ts';
import { setupDatabase, type TestDatabase } from '../support/database.ts';
import { folderWith, pdf, startEmbeddings } from './knowledge-fixtures.ts';
import { connectTo, rpcAs } from './shipped-server.ts';

vi.setConfig({ testTimeout: 60_000 });
let database: TestDatabase;
beforeAll(async () => {
  database = await setupDatabase();
});
afterAll(() => database.stop());

const RETURNS = `---
title: "Returns and refunds"
---
# Returns

Goods can be sent back within 30 days.

## Damaged goods

We pay the postage of damaged parcels. Take a picture of the box first.
`;
const SHIPPING = `<!doctype html><html><head><title>Shipping</title><style>p{}</style></head><body>
<nav>Home Imprint</nav><main><h1>Shipping</h1><p>Parcels leave <b>every</b> morning.</p>
<h2>Abroad</h2><ul><li>Norway: 12 EUR</li><li>Peru: 40 EUR</li></ul>
<table><tr><th>Weight</th><th>Price</th></tr><tr><td>2 kg</td><td>5 EUR</td></tr></table></main><footer>Imprint</footer></body></html>`;

const bytes = (text: string) => new TextEncoder().encode(text);

/** A business, a command line that may write its library, and a server that may only read it. */
async function setup() {
  const business = await database.createBusiness();
  const command = async (folder: string, args: string[], env: Environment = {}) => {
    const out: string[] = [];
    const progress: string[] = [];
    let failed = false;
    await runCommand(
      args,
      () =>
        Promise.resolve({
          rpc: rpcAs(database, 'floorwalker_knowledge_writer', business.id),
          businessId: business.id,
        }),
      env,
      {
        print: (line) => void out.push(line),
        say: (line) => void progress.push(line),
        fail: () => {
          failed = true;
        },
      },
      folder,
    );
    return { out, progress, failed };
  };
  const rpc = rpcAs(database, 'floorwalker_knowledge', business.id);
  const { call, tools } = await connectTo(
    createKnowledgeServer(new Library(rpc), business.id, {
      embeddings: undefined,
      language: 'english',
      report: () => {},
    }),
  );
  const search = async (query: string) => (await call('search_knowledge', { query })).data.results;
  return { business, command, call, tools, search };
}

describe('reading', () => {
  test('takes headings and text out of Markdown and HTML, and nothing that surrounds them', async () => {
    const markdown = await readDocument(bytes(RETURNS), 'text/markdown');
    expect(markdown.title).toBe('Returns and refunds');
    expect(chunk(markdown.blocks).map(({ heading, body }) => [heading, body])).toEqual([
      ['Returns', 'Goods can be sent back within 30 days.'],
      ['Returns › Damaged goods', 'We pay the postage of damaged parcels. Take a picture of the box first.'],
    ]);
    const html = await readDocument(bytes(SHIPPING), 'text/html');
    expect(html.title).toBe('Shipping');
    expect(chunk(html.blocks).map(({ heading, body }) => [heading, body])).toEqual([
      ['Shipping', 'Parcels leave every morning.'],
      ['Shipping › Abroad', '- Norway: 12 EUR\n- Peru: 40 EUR\nWeight | Price\n2 kg | 5 EUR'],
    ]);
  });

  test('takes the text of a PDF by page, and says of one without text or of damage what to do', async () => {
    const file = pdf(['Batteries last two years.', 'Call us for a new one.'], 'Manual');
    const document = await readDocument(file, 'application/pdf');
    expect(document.title).toBe('Manual');
    expect(chunk(document.blocks).map(({ page, body }) => [page, body])).toEqual([
      [1, 'Batteries last two years.'],
      [2, 'Call us for a new one.'],
    ]);
    await expect(readDocument(pdf([''], 'Scan'), 'application/pdf')).rejects.toThrow('text recognition');
    await expect(readDocument(bytes('%PDF-1.4 nothing'), 'application/pdf')).rejects.toThrow('damaged');
    await expect(readDocument(bytes('a\0b'), 'text/plain')).rejects.toThrow('no text');
    await expect(readDocument(bytes(' \n'), 'text/plain')).rejects.toThrow('no text');
  });

  test('cuts long text where a sentence ends, and loses none of it', async () => {
    const sentences = Array.from({ length: 200 }, (_, index) => `This is sentence number ${index}.`);
    const chunks = chunk([{ kind: 'text', text: sentences.join(' ') }]);
    expect(chunks.length).toBeGreaterThan(4);
    for (const { body } of chunks) {
      expect(body.length).toBeLessThanOrEqual(1_200);
      expect(body).toMatch(/^This.*\.$/);
    }
    expect(chunks.map(({ body }) => body).join(' ')).toBe(sentences.join(' '));
    expect(chunk([{ kind: 'text', text: 'x'.repeat(3_000) }]).map(({ body }) => body.length)).toEqual([
      1_200, 1_200, 600,
    ]);
  });
});

describe('the library', () => {
  test('is read in from files, found with its source, and read on', async () => {
    const { command, search, call } = await setup();
    const folder = await folderWith({
      'docs/returns.md': RETURNS,
      'docs/shipping.html': SHIPPING,
      'docs/notes/hours.txt': 'We are open from nine to five.',
      'docs/manual.pdf': pdf(['Batteries last two years.', 'Call us for a new one.'], 'Manual'),
      'docs/.hidden.md': 'A secret.',
      'docs/picture.png': 'not read',
    });
    const done = await command(folder, ['ingest', 'docs']);
    expect(done).toMatchObject({ failed: false, out: ['4 read, 0 unchanged, 0 failed'] });
    expect(done.progress).toContain('[4/4] docs/shipping.html: ready, 2 chunks');

    const [best] = await search('Who pays when my parcel arrived damaged?');
    expect(best).toMatchObject({
      document: 'Returns and refunds',
      source: 'docs/returns.md',
      heading: 'Returns › Damaged goods',
      found_by: 'words',
    });
    expect((await search('battery life'))[0]).toMatchObject({ document: 'Manual', page: 1 });
    const read = await call('read_document', { document_id: best.document_id, from: 1, count: 5 });
    expect(read.data).toMatchObject({ chunks: 2, parts: [{ position: 1 }, { position: 2 }] });
    expect(await search('secret')).toEqual([]);
    const nothing = await call('search_knowledge', { query: 'xylophone' });
    expect(nothing.data).toMatchObject({ results: [], note: expect.stringContaining('do not know') });
  });

  test('is not read twice for nothing, follows a change, and keeps what was found when reading fails', async () => {
    const { command, search, call } = await setup();
    const folder = await folderWith({ 'hours.txt': 'We are open on Monday.', 'broken.pdf': 'no PDF' });
    const first = await command(folder, ['ingest', '.']);
    expect(first).toMatchObject({ failed: true, out: ['1 read, 0 unchanged, 1 failed'] });
    expect((await command(folder, ['ingest', 'hours.txt'])).out).toEqual(['0 read, 1 unchanged, 0 failed']);
    expect((await command(folder, ['ingest', 'hours.txt', '--force'])).out).toEqual([
      '1 read, 0 unchanged, 0 failed',
    ]);

    await writeFile(join(folder, 'hours.txt'), 'We are open on Tuesday.');
    await command(folder, ['ingest', 'hours.txt']);
    expect(await search('monday')).toEqual([]);
    expect(await search('tuesday')).toHaveLength(1);

    await writeFile(join(folder, 'hours.txt'), 'binary\0');
    await command(folder, ['ingest', 'hours.txt']);
    expect(await search('tuesday')).toHaveLength(1);
    const { documents } = (await call('list_documents', { status: 'failed' })).data;
    expect(documents).toMatchObject([
      { source: 'broken.pdf', error: expect.stringContaining('damaged'), chunks: 0 },
      { source: 'hours.txt', error: expect.stringContaining('no text'), chunks: 1 },
    ]);

    await writeFile(join(folder, 'hours.txt'), 'We are open on Friday.');
    await rm(join(folder, 'broken.pdf'));
    const again = await command(folder, ['reindex']);
    expect(again.out).toEqual(['1 read, 0 unchanged, 1 failed']);
    expect(again.progress.join()).toContain('broken.pdf: not there any more');
    expect(await search('friday')).toHaveLength(1);

    expect((await command(folder, ['remove', 'broken.pdf', 'hours.txt'])).failed).toBe(false);
    expect((await command(folder, ['list'])).out).toEqual([]);
    expect(await search('friday')).toEqual([]);
  });

  test('leaves a document to whoever began to read it last', async () => {
    const { business, search } = await setup();
    const library = new Library(rpcAs(database, 'floorwalker_knowledge_writer', business.id));
    const document = { source: 'a.txt', title: 'A', mime_type: 'text/plain', byte_size: 1, checksum: 'x' };
    const { id } = await library.register(business.id, document, false);
    const [slow, quick] = [await library.begin(business.id, id), await library.begin(business.id, id)];
    const part = (body: string) => ({
      language: 'english',
      vectors: undefined,
      chunks: [{ position: 1, heading: undefined, page: undefined, body }],
    });
    expect(await library.add(slow, part('slow'))).toEqual({ outcome: 'superseded' });
    await library.add(quick, part('quick'));
    expect(await search('quick')).toEqual([]);
    expect(await library.finish(quick, undefined, undefined)).toMatchObject({ outcome: 'ready', chunks: 1 });
    expect(await library.finish(slow, undefined, undefined)).toEqual({ outcome: 'superseded' });
    expect(await search('quick')).toHaveLength(1);
  });

  test('is searched by words alone, and says so, where the database has no pgvector', async (context) => {
    const [{ available } = {}] = await database.sql`
      select exists (select from pg_available_extensions where name = 'vector') as available`;
    context.skip(available === true, 'this PostgreSQL has pgvector; knowledge-vectors.test.ts is about it');
    const { command, search } = await setup();
    const endpoint = await startEmbeddings();
    const folder = await folderWith({ 'hours.txt': 'We are open on Monday.' });
    const env = { KNOWLEDGE_EMBEDDINGS_URL: endpoint.url, KNOWLEDGE_EMBEDDINGS_KEY: 'key' };
    const done = await command(folder, ['ingest', 'hours.txt'], env);
    expect(done.failed).toBe(false);
    expect(done.progress[0]).toContain('by words alone: pgvector is not installed');
    expect(endpoint.asked).toEqual([]);
    expect(await search('monday')).toHaveLength(1);
  });

  test('only reads for a model, and is the business of its token', async () => {
    const { business, tools } = await setup();
    for (const { name, annotations, outputSchema } of tools)
      expect([annotations?.readOnlyHint, outputSchema !== undefined], name).toEqual([true, true]);
    const other = await database.createBusiness();
    const args = { p_business_id: business.id, p_status: null, p_limit: 1 };
    const rpc = (role: string, businessId: string) => rpcAs(database, role, businessId);
    await expect(rpc('floorwalker_knowledge', other.id)('knowledge_list', args)).rejects.toThrow('no right');
    await expect(rpc('floorwalker_customers', business.id)('knowledge_list', args)).rejects.toThrow(
      'no right',
    );
    const remove = { p_business_id: business.id, p_source: 'a.txt' };
    await expect(rpc('floorwalker_knowledge', business.id)('knowledge_remove', remove)).rejects.toThrow(
      'no right',
    );
    const person = await database.createUser({ businessId: business.id });
    for (const client of [person.client, database.anonymous])
      expect((await client.rpc('knowledge_list', args)).error).not.toBeNull();
  });
});

test('a language that is none is named with those there are', () => {
  expect(() => languageFrom({ KNOWLEDGE_LANGUAGE: 'klingon' })).toThrow('english');
});
