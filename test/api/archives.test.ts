import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { encodeCursor } from '../../src/api/page.ts';
import { updateArchive } from '../../src/database/archives.ts';
import { completeInteraction } from '../../src/database/interactions.ts';
import { appendRecords } from '../../src/database/records.ts';
import { gatedCall, startInteraction } from '../database/floor.ts';
import type { Agent, Business, Person } from '../support/fixtures.ts';
import { apiSettings, type Floor, forEachTry, setupFloor, startApi } from './support.ts';

let floor: Floor;
let business: Business;
let agent: Agent;
let dutch: Agent;
let admin: Person;
let supervisor: Person;
let colleague: Person;
let strangeAdmin: Person;

interface Conversation {
  readonly by?: Agent;
  readonly words?: readonly string[];
  readonly summary?: string;
  readonly topics?: string[];
  readonly issues?: { tag: string; status: 'resolved' | 'unresolved' }[];
  readonly sentiment?: string;
  readonly phone?: string;
  readonly startedAt?: string;
  readonly kind?: 'live' | 'rehearsal';
}

/** An interaction that is over, with its archive as a model left it. */
async function conversation(given: Conversation): Promise<string> {
  const { service, sql } = floor.database;
  const one = await startInteraction(service, given.by ?? agent, {
    ...(given.phone === undefined ? {} : { phone_number: given.phone }),
    ...(given.kind === undefined ? {} : { kind: given.kind }),
  });
  if (given.startedAt)
    await sql`update interactions set started_at = ${given.startedAt} where id = ${one.id}`;
  const messages = (given.words ?? ['hello']).map((content, place) => ({
    item_id: `m${place}`,
    role: place % 2 === 0 ? ('customer' as const) : ('agent' as const),
    content,
  }));
  await appendRecords(service, [{ interaction_id: one.id, generation: 1, messages, steps: [] }]);
  await completeInteraction(service, { ...one.key, status: 'completed', endReason: 'customer_left' });
  await updateArchive(service, {
    interactionId: one.id,
    result: {
      summary: given.summary ?? 'A chat.',
      issues: (given.issues ?? []).map(({ tag, status }) => ({
        issue: `about ${tag}`,
        status,
        priority: 'low',
      })),
      tags: {
        topics: given.topics ?? [],
        issues: given.issues ?? [],
        sentiment: given.sentiment ?? 'neutral',
      },
    },
  });
  return one.id;
}

beforeAll(async () => {
  // A search is whole however busy the machine is.
  floor = await setupFloor({ figures: { searchPatienceMs: 5_000 } });
});
forEachTry(async () => {
  const { database } = floor;
  business = await database.createBusiness({
    timeZone: 'Europe/Amsterdam',
    tagVocabulary: { topics: ['orders', 'billing'], issues: ['late_delivery', 'refund_request'] },
  });
  const other = await database.createBusiness();
  const businessId = business.id;
  [admin, supervisor, colleague, strangeAdmin] = await Promise.all([
    database.createUser({ businessId, role: 'admin' }),
    database.createUser({ businessId, name: 'Sam Supervisor' }),
    database.createUser({ businessId }),
    database.createUser({ businessId: other.id, role: 'admin' }),
  ]);
  agent = await database.createAgent({ businessId, supervisorId: supervisor.id, name: 'Anna' });
  dutch = await database.createAgent({ businessId, supervisorId: colleague.id, language: 'nl' });
});
afterAll(() => floor?.stop());

const search = (query: Record<string, string>, as: Person = admin) =>
  floor.api.call(`/v1/archives?${new URLSearchParams(query)}`, { token: as.accessToken });
const find = async (query: Record<string, string>, as: Person = admin) =>
  (await search(query, as)).body.data.map((row) => row.interaction_id);

const SOMEWHERE = '00000000-0000-4000-8000-000000000000';

/** More like that one, with summaries of their own, so many seconds after it. */
async function copies(
  template: string,
  given: readonly { readonly secondsLater: number; readonly summary: string }[],
): Promise<void> {
  await floor.database.sql`
    with given as materialized (
      select gen_random_uuid() as id, later, summary from unnest(${given.map((one) => one.secondsLater)}::integer[],
        ${given.map((one) => one.summary)}::text[]) one (later, summary)
    ), copies as (
      insert into interactions (id, business_id, agent_id, interaction_type, livekit_room_id, status, started_at, ended_at)
      select given.id, business_id, agent_id, interaction_type, 'copy-' || given.id, 'completed',
        started_at + later * interval '1 s', ended_at
      from interactions, given where interactions.id = ${template} returning id)
    insert into interaction_archives (interaction_id, business_id, summary)
    select id, ${business.id}, summary from copies join given using (id)`;
}

describe('a search', () => {
  it('finds words of the transcript by their stem, and says where they were said', async () => {
    const id = await conversation({ words: ['My kettles exploded twice', 'That is dreadful'] });
    const { body } = await search({ text: 'exploding kettle' });
    expect(body.data).toMatchObject([
      {
        interaction_id: id,
        agent_name: 'Anna',
        excerpt: { seq: 1, role: 'customer', text: 'My kettles exploded twice' },
      },
    ]);
  });

  it('finds words of the summary, phrases and what must not occur', async () => {
    const one = await conversation({ summary: 'The zeppelin was late', words: ['blue zeppelin please'] });
    const two = await conversation({ summary: 'A zeppelin again', words: ['zeppelin in blue'] });
    expect(await find({ text: 'zeppelin' })).toEqual([two, one]);
    expect(await find({ text: '"blue zeppelin"' })).toEqual([one]);
    expect(await find({ text: 'zeppelin -late' })).toEqual([two]);
    expect(await find({ text: 'zeppelin or nonsenseword' })).toEqual([two, one]);
    expect(await find({ text: 'zeppelin nonsenseword' })).toEqual([]);
  });

  it('takes the words in the language of the agent', async () => {
    const id = await conversation({ by: dutch, words: ['Waar blijven mijn bestellingen?'] });
    expect(await find({ text: 'bestelling' })).toEqual([id]);
  });

  it('finds any piece of a phone number, written as people write it', async () => {
    const id = await conversation({ phone: '+31612349876' });
    await conversation({ phone: '+31687654321' });
    for (const phone of ['9876', '06-1234 9876', '+31 6 1234', '12349']) {
      expect(await find({ phone }), phone).toEqual([id]);
    }
    // All threes of it occur in the number, and it does not.
    expect(await find({ phone: '349876123' })).toEqual([]);
    const short = await search({ phone: '00-12' });
    expect([short.status, short.body.code]).toEqual([400, 'search_invalid']);
  });

  it('finds by tag, issue, its state and sentiment, all of it together', async () => {
    const id = await conversation({
      topics: ['billing'],
      issues: [{ tag: 'refund_request', status: 'unresolved' }],
      sentiment: 'critical',
      words: ['marmalade'],
    });
    const other = await conversation({
      topics: ['orders'],
      issues: [{ tag: 'late_delivery', status: 'resolved' }],
      sentiment: 'critical',
      words: ['marmalade'],
    });
    expect(await find({ text: 'marmalade', sentiment: 'critical' })).toEqual([other, id]);
    expect(await find({ tag: 'billing', sentiment: 'critical' })).toEqual([id]);
    expect(await find({ tag: 'refund_request' })).toEqual([id]);
    expect(await find({ issue: 'late_delivery' })).toEqual([other]);
    expect(await find({ issue: 'late_delivery', issue_status: 'unresolved' })).toEqual([]);
    expect(await find({ text: 'marmalade', sentiment: 'good' })).toEqual([]);
  });

  it('finds by date and agent, and rehearsals only when asked for', async () => {
    const old = await conversation({ startedAt: '2020-02-03T10:00:00Z' });
    const later = await conversation({ startedAt: '2020-02-04T10:00:00Z', by: dutch });
    const rehearsed = await conversation({ startedAt: '2020-02-05T10:00:00Z', kind: 'rehearsal' });
    expect(await find({ from: '2020-02-03T00:00:00Z', to: '2020-03-01T00:00:00Z' })).toEqual([later, old]);
    expect(await find({ from: '2020-02-03T10:00:00Z', to: '2020-02-04T10:00:00Z' })).toEqual([old]);
    expect(await find({ to: '2020-03-01T00:00:00Z', agent_id: dutch.id })).toEqual([later]);
    expect(await find({ to: '2020-03-01T00:00:00Z', kind: 'rehearsal' })).toEqual([rehearsed]);
  });

  it('is read a page at a time, and new archives move nothing', async () => {
    const ids: string[] = [];
    for (let n = 0; n < 5; n += 1) ids.unshift(await conversation({ words: ['pagination'] }));
    const seen: unknown[] = [];
    let query: Record<string, string> = { text: 'pagination', limit: '2' };
    for (;;) {
      const { body } = await search(query);
      seen.push(...body.data.map((row) => row.interaction_id));
      if (body.next_cursor === null) break;
      await conversation({ words: ['pagination'] });
      query = { ...query, cursor: body.next_cursor };
    }
    expect(seen).toEqual(ids);
  });

  it('stops when it has taken long enough, says how far it has looked, and goes on from there', async () => {
    const template = await conversation({ startedAt: '2017-06-01T00:00:00Z' });
    // Two hours apart, and one in 400 of them about a needle.
    await copies(
      template,
      Array.from({ length: 1_200 }, (_, n) => ({
        secondsLater: -7_200 * (n + 1),
        summary: (n + 1) % 400 === 0 ? 'A needle' : 'Hay',
      })),
    );
    const impatient = await startApi(
      apiSettings(floor.database, floor.livekit, { figures: { searchPatienceMs: 0 } }),
    );
    try {
      const query = { text: 'needle', to: '2017-06-02T00:00:00Z' };
      const token = admin.accessToken;
      const inPieces = async (limit: string) => {
        const pieces: { ids: string[]; back: unknown }[] = [];
        for (let cursor: string | null = ''; cursor !== null; ) {
          const filter = new URLSearchParams({ ...query, limit, ...(cursor === '' ? {} : { cursor }) });
          const { body } = await impatient.call(`/v1/archives?${filter}`, { token });
          pieces.push({ ids: body.data.map((row) => row.interaction_id), back: body.looked_back_to });
          cursor = body.next_cursor;
        }
        return pieces;
      };
      const all = await find(query);
      expect(all).toHaveLength(3);
      const pieces = await inPieces('50');
      expect(pieces.flatMap(({ ids }) => ids)).toEqual(all);
      const back = pieces.map((piece) => piece.back ?? '');
      expect(back).toEqual([...new Set(back)].sort().reverse());
      expect(pieces.at(-1)?.back).toBeNull();
      expect(pieces.some(({ ids, back }) => ids.length === 0 && back !== null)).toBe(true);
      // A page that is full is full, wherever it stopped.
      const single = await inPieces('1');
      expect(single.flatMap(({ ids }) => ids)).toEqual(all);
      expect(single.filter(({ ids }) => ids.length === 1).map(({ back }) => back)).toEqual([
        null,
        null,
        null,
      ]);
      const file = await fetch(`${impatient.url}/v1/archives/export?${new URLSearchParams(query)}`, {
        headers: { authorization: `Bearer ${token}` },
      });
      const lines = (await file.text()).trimEnd().split('\r\n').slice(1);
      expect(lines.map((line) => line.split(',')[0])).toEqual(all);
    } finally {
      await impatient.stop();
    }
  });

  it('keeps the order of archives that began at the same moment', async () => {
    const startedAt = '2019-05-05T05:05:05.123456Z';
    const ids = [];
    for (let n = 0; n < 4; n += 1) ids.push(await conversation({ startedAt }));
    const filter = { to: '2019-06-01T00:00:00Z', from: '2019-05-01T00:00:00Z', limit: '1' };
    const seen = [];
    let cursor: string | null = '';
    while (cursor !== null) {
      const { body } = await search({ ...filter, ...(cursor === '' ? {} : { cursor }) });
      seen.push(...body.data.map((row) => row.interaction_id));
      cursor = body.next_cursor;
    }
    expect(seen).toEqual(ids.sort().reverse());
  });

  it('shows a supervisor own agents, an admin the business, and others nothing', async () => {
    const mine = await conversation({ words: ['porcupine'] });
    const theirs = await conversation({ words: ['porcupine'], by: dutch });
    expect(await find({ text: 'porcupine' })).toEqual([theirs, mine]);
    expect(await find({ text: 'porcupine' }, supervisor)).toEqual([mine]);
    expect(await find({ text: 'porcupine' }, colleague)).toEqual([theirs]);
    expect(await find({ text: 'porcupine', agent_id: dutch.id }, supervisor)).toEqual([]);
    expect(await find({ text: 'porcupine' }, strangeAdmin)).toEqual([]);
    expect(await find({}, strangeAdmin)).toEqual([]);
    expect((await floor.api.call('/v1/archives')).status).toBe(401);
  });

  it('does not find any more what retention has removed', async () => {
    const { service, sql } = floor.database;
    const id = await conversation({ words: ['ephemeral'] });
    expect(await find({ text: 'ephemeral' })).toEqual([id]);
    await sql`update interactions set ended_at = now() - interval '91 days' where id = ${id}`;
    await service.rpc('apply_retention', { p_limit: 10 });
    expect(await find({ text: 'ephemeral' })).toEqual([]);
    const left = await sql`select from floorwalker.archive_search where interaction_id = ${id}`;
    expect(left).toHaveLength(0);
    const gone = await floor.api.call(`/v1/archives/${id}`, { token: admin.accessToken });
    expect([gone.status, gone.body.code]).toEqual([404, 'archive_not_found']);
  });

  it('finds an archive whose transcript has gone before it by its summary alone', async () => {
    const { sql } = floor.database;
    const id = await conversation({ words: ['confidential'], summary: 'About a rhinoceros' });
    await sql`select floorwalker.purge_transcript(${id})`;
    expect(await find({ text: 'confidential' })).toEqual([]);
    expect(await find({ text: 'rhinoceros' })).toEqual([id]);
    const { body } = await floor.api.call(`/v1/archives/${id}`, { token: admin.accessToken });
    expect([body.messages, body.steps]).toEqual([[], []]);
  });

  it('finds words that a worker delivered after the end', async () => {
    const { service } = floor.database;
    const id = await conversation({ words: ['first'] });
    const late = { item_id: 'late', role: 'customer' as const, content: 'postscriptum' };
    await appendRecords(service, [{ interaction_id: id, generation: 1, messages: [late], steps: [] }]);
    expect(await find({ text: 'postscriptum' })).toEqual([id]);
  });

  it('never stops an interaction from ending, however much was said', async () => {
    const words = Array.from({ length: 40 }, (_, n) =>
      Array.from({ length: 2_000 }, (__, k) => `word${n}x${k}é`).join(' '),
    );
    const id = await conversation({ words: ['beginning', ...words] });
    expect(await find({ text: 'beginning word3x7é' })).toEqual([id]);
  });

  it('says so when there are only words that every conversation has', async () => {
    const shop = await floor.database.createBusiness();
    const owner = await floor.database.createUser({ businessId: shop.id, role: 'admin' });
    await conversation({ by: await floor.database.createAgent({ businessId: shop.id }) });
    const { status, body } = await search({ text: 'the of and' }, owner);
    expect([status, body.code]).toEqual([400, 'search_invalid']);
  });

  it.each([
    [{ tag: "x'; drop table users" }, 'invalid_request'],
    [{ phone: 'abc' }, 'invalid_request'],
    [{ from: 'yesterday' }, 'invalid_request'],
    [{ cursor: 'bm9uc2Vuc2U' }, 'invalid_request'],
    [{ cursor: encodeCursor(['2017-06-01T00:00:00Z', SOMEWHERE, 0]) }, 'invalid_request'],
    [{ cursor: encodeCursor(['2017-06-01T00:00:00Z', SOMEWHERE, 3e9]) }, 'invalid_request'],
    [{ limit: '1000' }, 'invalid_request'],
  ])('for %j is refused as %s', async (query, code) => {
    const { status, body } = await search(query as Record<string, string>);
    expect([status, body.code]).toEqual([400, code]);
  });

  it.each(["'", '"unclosed', '& | ! <->', '((', '\\', '%', ':*', '🙂'])(
    'for the text %s is no error',
    async (text) => {
      expect((await search({ text })).status).toBeLessThan(500);
    },
  );
});

describe('a replay', () => {
  it('has transcript, trace, calls with their decisions, and the measured series in one answer', async () => {
    const { service } = floor.database;
    const one = await startInteraction(service, agent);
    const { permissionId } = await gatedCall(service, one, { call_id: 'call-1' });
    await supervisor.client.rpc('decide_permission', {
      p_permission_id: permissionId,
      p_decision: 'denied',
      p_note: 'too much',
    });
    await appendRecords(service, [
      {
        interaction_id: one.id,
        generation: 1,
        messages: [{ item_id: 'a', role: 'customer', content: 'hello' }],
        steps: [{ step_id: 's', step_type: 'llm_call', model: 'gpt', tokens_input: 5 }],
      },
    ]);
    await completeInteraction(service, { ...one.key, status: 'completed', endReason: 'customer_left' });
    const { status, body } = await floor.api.call(`/v1/archives/${one.id}`, {
      token: supervisor.accessToken,
    });
    expect([status, body]).toMatchObject([
      200,
      {
        interaction_id: one.id,
        agent_name: 'Anna',
        agent_version: 1,
        status: 'completed',
        archive: {
          summary_source: 'facts',
          metrics_series: { points: 0 },
          facts: { end_reason: 'customer_left' },
        },
        messages: [{ seq: 1, role: 'customer', content: 'hello' }],
        tool_calls: [
          {
            call_id: 'call-1',
            state: 'refused',
            permission: { status: 'denied', note: 'too much', decided_by_name: 'Sam Supervisor' },
          },
        ],
      },
    ]);
    expect(body.steps).toEqual(
      expect.arrayContaining([expect.objectContaining({ step_type: 'llm_call', tokens_input: 5 })]),
    );
  });

  it('is not there while the interaction is open, nor for others', async () => {
    const open = await startInteraction(floor.database.service, agent);
    const id = await conversation({});
    const look = async (which: string, as: Person) =>
      (await floor.api.call(`/v1/archives/${which}`, { token: as.accessToken })).body.code;
    expect(await look(open.id, admin)).toBe('archive_not_found');
    expect(await look(id, colleague)).toBe('interaction_not_found');
    expect(await look(id, strangeAdmin)).toBe('interaction_not_found');
    expect(await look(randomUUID(), admin)).toBe('interaction_not_found');
  });
});

describe('an export', () => {
  const download = (path: string, as: Person = admin) =>
    fetch(`${floor.api.url}${path}`, { headers: { authorization: `Bearer ${as.accessToken}` } });
  const audited = (subject: string) => floor.database.sql`
    select actor_id, details from audit_events where action = 'archive.exported' and subject_id = ${subject} order by id`;

  it('of one as JSON is the replay, and is written to the audit log', async () => {
    const id = await conversation({ words: ['for the file'] });
    const answer = await download(`/v1/archives/${id}/export?format=json`, supervisor);
    expect(answer.headers.get('content-disposition')).toBe(`attachment; filename="interaction-${id}.json"`);
    const replay = await floor.api.call(`/v1/archives/${id}`, { token: supervisor.accessToken });
    expect(await answer.json()).toEqual(replay.body);
    expect([...(await audited(id))]).toEqual([{ actor_id: supervisor.id, details: { format: 'json' } }]);
  });

  it('of one as Markdown reads in order, and nothing that was said becomes markup', async () => {
    const id = await conversation({
      words: ['# <script>alert(1)</script> [x](javascript:alert(1))', '```\nnot a fence'],
      phone: '+31612345678',
      startedAt: '2021-07-01T10:00:00Z',
    });
    const answer = await download(`/v1/archives/${id}/export?format=markdown`);
    expect(answer.headers.get('content-type')).toBe('text/markdown; charset=utf-8');
    const text = await answer.text();
    expect(text).toContain('12:00:00');
    expect(text).toContain('**Customer**');
    expect(text).toContain('\\# \\<script\\>alert\\(1\\)\\</script\\>');
    expect(text).not.toMatch(/(^|[^\\])(<script|\]\()|^#\s*<script/m);
    expect(text.indexOf('script')).toBeLessThan(text.indexOf('not a fence'));
  });

  it('of a search as CSV has every row, guards formulas and is written to the audit log without the words', async () => {
    const formulas = [
      '=HYPERLINK("http://x")',
      '+1',
      '-1',
      '@x',
      ' =1',
      '\t=1',
      '＝1',
      'a "quote", and\nlines',
    ];
    for (const summary of formulas)
      await conversation({ summary, words: ['spreadsheet'], phone: '+31600000001' });
    const answer = await download('/v1/archives/export?text=spreadsheet&sentiment=neutral', supervisor);
    expect(answer.headers.get('content-type')).toBe('text/csv; charset=utf-8');
    const csv = Buffer.from(await answer.arrayBuffer()).toString('utf8');
    expect(csv.startsWith('\uFEFFinteraction_id,started_at,')).toBe(true);
    for (const start of [
      `"'=HYPERLINK(""http://x"")"`,
      "'+1",
      "'-1",
      "'@x",
      "' =1",
      "'\t=1",
      "'＝1",
      '"a ""quote"", and\nlines"',
    ]) {
      expect(csv, start).toContain(`,${start}\r\n`);
    }
    expect(csv).toContain(",'+31600000001,");
    const mine = (await audited(business.id)).filter(({ actor_id }) => actor_id === supervisor.id);
    expect(mine).toHaveLength(1);
    expect(mine[0]).toEqual({
      actor_id: supervisor.id,
      details: { format: 'csv', filter: { sentiment: 'neutral', kind: 'live', text: true, phone: false } },
    });
  });

  it('of more rows than one query reads has each of them once', async () => {
    const template = await conversation({ words: ['multitude'], startedAt: '2018-01-01T00:00:00Z' });
    await copies(
      template,
      Array.from({ length: 1_203 }, (_, n) => ({
        secondsLater: Math.floor((n + 1) / 3),
        summary: 'multitude',
      })),
    );
    const lines = (await (await download('/v1/archives/export?text=multitude')).text())
      .trimEnd()
      .split('\r\n')
      .slice(1);
    const ids = lines.map((line) => line.split(',')[0]);
    expect([ids.length, new Set(ids).size]).toEqual([1204, 1204]);
  });

  it('is refused to others, and a filter that does not fit is no file', async () => {
    const id = await conversation({});
    expect((await download(`/v1/archives/${id}/export`, strangeAdmin)).status).toBe(404);
    expect([...(await audited(id))]).toEqual([]);
    expect((await download('/v1/archives/export?phone=12')).status).toBe(400);
    const none = await (await download('/v1/archives/export', strangeAdmin)).text();
    expect(none.trimEnd().split('\r\n')).toHaveLength(1);
  });
});
