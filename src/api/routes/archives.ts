import { createRoute, z } from '@hono/zod-openapi';
import type { MiddlewareHandler } from 'hono';
import {
  type ArchivePlace,
  archiveReplay,
  beginArchiveExport,
  exportArchive,
  type FoundArchive,
  type FoundPage,
  searchArchives,
} from '../../database/archive-search.ts';
import type { Log } from '../../log.ts';
import { archiveFilter, archivePageSchema, replaySchema } from '../archive-schemas.ts';
import type { Api, ApiEnv } from '../environment.ts';
import { csvHeader, csvRow } from '../export/csv.ts';
import { replayAsMarkdown } from '../export/markdown.ts';
import { cursorSchema, cutPage, decodeSearchCursor, encodeCursor, limitSchema } from '../page.ts';
import type { ApiParts } from '../parts.ts';
import { readBusiness } from '../reads/business.ts';
import { idSchema } from '../schemas.ts';
import { problems } from './answers.ts';
import { guard } from './guard.ts';

const security = [{ signedIn: [] }];
const tags = ['History'];
const params = z.object({ id: idSchema });

/** Rows that one query of a CSV export reads. */
const EXPORT_PAGE = 500;

const search = createRoute({
  method: 'get',
  path: '/v1/archives',
  tags,
  summary: 'What remains of ended interactions, newest first',
  security,
  request: {
    query: z.object({ ...archiveFilter, limit: limitSchema, cursor: cursorSchema.optional() }),
  },
  responses: {
    200: {
      description: 'A page',
      content: { 'application/json': { schema: archivePageSchema } },
    },
    ...problems(400, 401, 403, 503),
  },
});

const exportSearch = createRoute({
  method: 'get',
  path: '/v1/archives/export',
  tags,
  summary: 'All that a search finds, as CSV; written to the audit log',
  security,
  request: { query: z.object(archiveFilter) },
  responses: {
    200: {
      description:
        'One line an interaction, newest first. A cell that a spreadsheet would run as a formula begins with an apostrophe.',
      content: { 'text/csv': { schema: z.string().openapi('ArchiveCsv') } },
    },
    ...problems(400, 401, 403, 503),
  },
});

const replay = createRoute({
  method: 'get',
  path: '/v1/archives/{id}',
  tags,
  summary:
    'One ended interaction: archive, transcript, trace, tool calls and decisions; the id is the interaction’s',
  security,
  request: { params },
  responses: {
    200: { description: 'All that remains', content: { 'application/json': { schema: replaySchema } } },
    ...problems(400, 401, 403, 404, 503),
  },
});

const exportOne = createRoute({
  method: 'get',
  path: '/v1/archives/{id}/export',
  tags,
  summary: 'One ended interaction to take away; written to the audit log',
  security,
  request: { params, query: z.object({ format: z.enum(['json', 'markdown']).default('json') }) },
  responses: {
    200: {
      description: 'The same as the archive, or a text for people',
      content: {
        'application/json': { schema: replaySchema },
        'text/markdown': { schema: z.string().openapi('ReplayMarkdown') },
      },
    },
    ...problems(400, 401, 403, 404, 503),
  },
});

const placeOf = (row: FoundArchive): readonly [string, string] => [row.started_at, row.interaction_id];

/**
 * Page by page, as the receiver takes it. One that fails on the way breaks the connection off: a file that is cut
 * short must not look complete.
 */
async function* csvChunks(
  search: (after?: ArchivePlace) => Promise<FoundPage>,
  first: FoundPage,
  log: Log,
): AsyncGenerator<Uint8Array> {
  const encoder = new TextEncoder();
  yield encoder.encode(csvHeader);
  let page = first;
  for (;;) {
    yield encoder.encode(page.archives.map(csvRow).join(''));
    const last = page.archives[EXPORT_PAGE - 1];
    const after = last ? { time: last.started_at, id: last.interaction_id } : page.reached;
    if (after === null) return;
    try {
      page = await search(after);
    } catch (err) {
      log.error({ err }, 'export broke off');
      throw err;
    }
  }
}

/** Reads on as the receiver takes what there is; whoever goes away stops it. */
function streamOf(chunks: AsyncGenerator<Uint8Array>): ReadableStream<Uint8Array> {
  return new ReadableStream<Uint8Array>({
    async pull(controller) {
      const { done, value } = await chunks.next();
      if (done) controller.close();
      else controller.enqueue(value);
    },
    async cancel() {
      await chunks.return(undefined);
    },
  });
}

export function addArchiveRoutes(api: Api, { settings }: ApiParts, person: MiddlewareHandler<ApiEnv>): void {
  const patienceMs = settings.figures.searchPatienceMs;

  for (const route of [search, exportSearch, replay, exportOne]) guard(api, route, person);

  api.openapi(search, async (context) => {
    const { limit, cursor, ...filter } = context.req.valid('query');
    const { archives, reached } = await searchArchives(context.get('person').db, {
      filter: { ...filter, excerpt: true },
      after: cursor === undefined ? undefined : decodeSearchCursor(cursor),
      limit: limit + 1,
      patienceMs,
    });
    const page = cutPage(archives, limit, placeOf);
    const next_cursor = reached ? encodeCursor([reached.time, reached.id, reached.days]) : page.next_cursor;
    const looked_back_to = page.data.length < limit ? (reached?.time ?? null) : null;
    return context.json({ data: page.data, next_cursor, looked_back_to }, 200);
  });

  // Before the route with an id: "export" is none.
  api.openapi(exportSearch, async (context) => {
    const filter = context.req.valid('query');
    const { db } = context.get('person');
    const log = context.get('log');
    await beginArchiveExport(db, { filter, format: 'csv' });
    // The first rows before the first byte, so that a search that fails is answered as a failure.
    const page = (after?: ArchivePlace) =>
      searchArchives(db, { filter, after, limit: EXPORT_PAGE, patienceMs });
    const first = await page();
    return context.body(streamOf(csvChunks(page, first, log)), 200, {
      'content-type': 'text/csv; charset=utf-8',
      'content-disposition': 'attachment; filename="interactions.csv"',
    });
  });

  api.openapi(replay, async (context) => {
    const { id } = context.req.valid('param');
    return context.json(await archiveReplay(context.get('person').db, { interactionId: id }), 200);
  });

  api.openapi(exportOne, async (context) => {
    const { id } = context.req.valid('param');
    const { format } = context.req.valid('query');
    const { db } = context.get('person');
    const content = await exportArchive(db, { interactionId: id, format });
    const extension = format === 'json' ? 'json' : 'md';
    context.header('content-disposition', `attachment; filename="interaction-${id}.${extension}"`);
    if (format === 'json') return context.json(content, 200);
    const { time_zone } = await readBusiness(db);
    return context.body(replayAsMarkdown(content, time_zone), 200, {
      'content-type': 'text/markdown; charset=utf-8',
    });
  });
}
