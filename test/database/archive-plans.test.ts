import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { z } from 'zod';
import { seedHistory, seedOpenChats } from '../../bench/history.ts';
import { setupDatabase, type TestDatabase } from '../support/database.ts';
import type { Person } from '../support/fixtures.ts';

/** Few enough to be made in seconds, many enough that reading them all is told from reading a page. */
const ARCHIVES = 12_000;
/** What a search may walk; each row once more where vacuum could not yet say that all may see it. */
const WALK = 500;
const LARGE = [
  'interactions',
  'interaction_archives',
  'archive_search',
  'interaction_messages',
  'realtime_metrics',
];

let db: TestDatabase;
let businessId: string;
let agentId: string;
let admin: Person;
let supervisor: Person;
beforeAll(async () => {
  db = await setupDatabase();
  businessId = (await db.createBusiness()).id;
  [admin, supervisor] = await Promise.all([
    db.createUser({ businessId, role: 'admin' }),
    db.createUser({ businessId }),
  ]);
  const agents = await Promise.all(
    [supervisor.id, undefined, undefined, undefined].map((supervisorId) =>
      db.createAgent({ businessId, ...(supervisorId === undefined ? {} : { supervisorId }) }),
    ),
  );
  const agentIds = agents.map(({ id }) => id);
  agentId = agentIds[0] ?? '';
  await seedHistory(db.sql, { businessId, agentIds, interactions: ARCHIVES, wordsEach: 40, days: 80 });
  await seedOpenChats(db.sql, { homes: [{ businessId, agentIds }], chats: 50, metrics: 20_000 });
}, 120_000);
afterAll(() => db?.stop());

interface Reading {
  /** Rows of whole tables that were read. */
  readonly scanned: number;
  /** Rows that an index led to. */
  readonly fetched: number;
}

/** What one statement reads of the large tables, as PostgreSQL counts it itself, and its first row. */
async function readingOf(
  person: Person | undefined,
  statement: string,
  given: readonly string[] = [],
  tables: readonly string[] = LARGE,
): Promise<Reading & { readonly first: Record<string, unknown> | undefined }> {
  return db.sql.begin(async (tx) => {
    if (person) {
      await tx`select set_config('request.jwt.claim.sub', ${person.id}, true),
        set_config('request.jwt.claims', ${JSON.stringify({ sub: person.id, role: 'authenticated' })}, true)`;
      await tx`set local role authenticated`;
    }
    // The counters go on from what this connection did before and has not reported yet.
    const count = async (): Promise<Reading> => {
      const [row] = await tx<{ scanned: number; fetched: number }[]>`
        select coalesce(sum(seq_tup_read), 0)::int as scanned, coalesce(sum(idx_tup_fetch), 0)::int as fetched
        from pg_stat_xact_user_tables where relname = any (${tables as string[]})`;
      return row ?? { scanned: 0, fetched: 0 };
    };
    const before = await count();
    const [first] = await tx.unsafe(statement, [...given]);
    const after = await count();
    return { first, scanned: after.scanned - before.scanned, fetched: after.fetched - before.fetched };
  });
}

async function search(
  person: Person,
  filter: object,
  tables: readonly string[] = LARGE,
): Promise<Reading & { readonly rows: number }> {
  const statement = 'select jsonb_array_length(search_archives($1::text::jsonb, null, null, 26)) as rows';
  const { first, ...reading } = await readingOf(person, statement, [JSON.stringify(filter)], tables);
  return { ...reading, rows: Number(first?.rows) };
}

/** Filters, and what they are to a plain reading of all rows. */
const SEARCHES = [
  [{ text: 'w300' }, "s.words @@ 'w300'"],
  [{ text: 'w4000' }, "s.words @@ 'w4000'"],
  [{ text: 'w70 w90' }, "s.words @@ 'w70 & w90'"],
  [{ text: '"w2 w5"' }, "s.words @@ 'w2 <-> w5'"],
  [{ text: '"w3 w2 w5"' }, "s.words @@ 'w3 <-> w2 <-> w5'"],
  [{ text: '"w7 w9" w5' }, "s.words @@ '(w7 <-> w9) & w5'"],
  [{ text: '"w7 w9" -w5' }, "s.words @@ '(w7 <-> w9) & !w5'"],
  [{ text: 'w90 -"w2 w5"' }, "s.words @@ 'w90 & !(w2 <-> w5)'"],
  [{ text: '"w12 w9" or w5000' }, "s.words @@ '(w12 <-> w9) | w5000'"],
  [{ text: '"w5 the w9"' }, "s.words @@ 'w5 <2> w9'"],
  [{ phone: '432' }, "s.phone_digits like '%432%'"],
  [{ issue: 'issue_7', sentiment: 'critical' }, "s.keys @> '{issue:issue_7,sentiment:critical}'"],
] as const;

const pageSchema = z.object({
  archives: z.array(z.object({ interaction_id: z.string(), started_at: z.string() })),
  reached: z.object({ time: z.string(), id: z.string(), days: z.number() }).nullable(),
});

describe('among many archives a search', () => {
  it.each([
    ['without a filter reads a page', {}, 4 * 26],
    ['for a frequent word stops at a page', { text: 'w1' }, 10 * 26],
    ['for a frequent tag stops where the page is full', { sentiment: 'critical' }, 20 * 26],
    ['since a date reads a page', { from: new Date(Date.now() - 40 * 86_400_000).toISOString() }, 4 * 26],
  ])('%s', async (_, filter, most) => {
    for (const person of [admin, supervisor]) {
      const { rows, scanned, fetched } = await search(person, filter);
      expect(rows).toBe(26);
      expect(scanned).toBe(0);
      expect(fetched).toBeLessThan(most + WALK);
    }
  });

  it.each([
    ['a rare word', { text: 'w19777' }],
    ['a word that nobody said', { text: 'unheardof' }],
    ['a frequent word together with a rare one', { text: 'w1 w19777' }],
    ['frequent words that hardly meet', { text: 'w3 w5 w7 w11 w13 w17', tag: 'topic_3', issue: 'issue_3' }],
    ['a whole phone number', { phone: '+31612345678' }],
    ['a piece of a phone number and a word', { phone: '4321', text: 'w2' }],
  ])('for %s reads its walk and the hits, and never a table', async (_, filter) => {
    for (const person of [admin, supervisor]) {
      const { scanned, fetched, rows } = await search(person, filter);
      expect(scanned).toBe(0);
      expect(fetched).toBeLessThan(2 * WALK + 1_000);
      expect(rows).toBeLessThanOrEqual(26);
    }
  });

  it('for what one in 25 has reads back until a page is full', async () => {
    const { scanned, fetched, rows } = await search(admin, { text: 'w100' }, ['archive_search']);
    const [all] =
      await db.sql`select count(*)::int as hits from floorwalker.archive_search where words @@ 'w100'`;
    expect(rows).toBe(26);
    expect(scanned).toBe(0);
    // All hits were once read to keep the newest.
    expect(fetched).toBeLessThan(WALK + Number(all?.hits) - 50);
  });

  /** All that is found, page after page, each with so much patience; and where it stopped on the way. */
  async function lookedThrough(person: Person, filter: object, limit: number, patienceMs: number) {
    const ids: string[] = [];
    const stops: string[] = [];
    let after: { time: string; id: string; days?: number } | null = null;
    for (;;) {
      const { data, error } = await person.client.rpc('look_through_archives', {
        p_filter: filter,
        p_after_time: after?.time ?? null,
        p_after_id: after?.id ?? null,
        p_limit: limit,
        p_patience_ms: patienceMs,
        p_days: after?.days ?? null,
      });
      expect(error).toBeNull();
      const page = pageSchema.parse(data);
      ids.push(...page.archives.map(({ interaction_id }) => interaction_id));
      const last = page.archives.at(-1);
      after =
        last && page.archives.length === limit
          ? { time: last.started_at, id: last.interaction_id }
          : page.reached;
      if (after === null) return { ids, stops };
      if (page.reached !== null) stops.push(page.reached.time);
    }
  }

  async function readPlainly(condition: string): Promise<string[]> {
    const rows = await db.sql.unsafe<{ id: string }[]>(
      `select s.interaction_id as id from floorwalker.archive_search s where ${condition}
       order by s.happened_at desc, s.interaction_id desc`,
    );
    return rows.map(({ id }) => id);
  }

  const foundAsWhenReadPlainly = async () => {
    for (const [filter, condition] of SEARCHES) {
      const expected = (await readPlainly(condition)).slice(0, 200);
      const { data } = await admin.client.rpc('search_archives', { p_filter: filter, p_limit: 200 });
      const found = (data as { interaction_id: string }[]).map(({ interaction_id }) => interaction_id);
      expect(found, JSON.stringify(filter)).toEqual(expected);
      expect(found.length, JSON.stringify(filter)).toBeGreaterThan(0);
    }
  };

  it('finds by its two ways what a plain reading of all rows finds', foundAsWhenReadPlainly);

  it('finds the same in pieces, however little patience it has', async () => {
    for (const [person, seen, searches] of [
      [admin, 'true', SEARCHES],
      [supervisor, `s.keys @> '{agent:${agentId}}'`, SEARCHES.slice(0, 4)],
    ] as const) {
      for (const [filter, condition] of searches) {
        const { ids, stops } = await lookedThrough(person, filter, 200, 0);
        expect(ids, JSON.stringify(filter)).toEqual(await readPlainly(`${condition} and ${seen}`));
        expect(stops.length, JSON.stringify(filter)).toBeGreaterThan(0);
      }
    }
  }, 120_000);

  it('that finds nothing for long says how far it has looked, and gets further each time', async () => {
    const { ids, stops } = await lookedThrough(admin, { text: '"w1 w19777 w2"' }, 51, 0);
    expect(ids).toEqual([]);
    expect(stops.length).toBeGreaterThan(10);
    expect(stops).toEqual([...new Set(stops)].sort().reverse());
  });

  it('finds the same in several languages', async () => {
    await db.sql`update floorwalker.archive_search set configuration = 'dutch' where phone_digits like '%3'`;
    await db.sql`insert into floorwalker.search_configurations values (${businessId}, 'dutch')`;
    // To the Dutch, "the" is a word like any other.
    await db.sql`update floorwalker.archive_search set configuration = 'english' where words @@ 'w5 <2> w9'`;
    await foundAsWhenReadPlainly();
  });
});

describe('among many interactions the figures', () => {
  it.each([
    ['leaderboard', "leaderboard('month')"],
    ['own figures or those of the business', "performance('month')"],
    ['figures by agent', "performance_by_agent('month')"],
    ['figures day by day', 'performance_series(30)'],
  ])('of the %s are read without the interactions', async (_, call) => {
    for (const person of [admin, supervisor]) {
      const { scanned, fetched } = await readingOf(person, `select ${call}`);
      expect(scanned).toBe(0);
      expect(fetched).toBeLessThan(50);
    }
  });
});

const list = (where: string) => `select id, status, created_at from interactions where ${where}
  order by created_at desc, id desc limit 51`;

describe('among many interactions a list', () => {
  it.each([
    ['of the newest', list("kind = 'live'"), 51],
    ['of an agent', list("kind = 'live' and agent_id = $1"), 51],
    ['of the open ones', list("kind = 'live' and status in ('queued', 'active')"), 50],
    ['of failed ones', list("kind = 'live' and status in ('failed')"), 0],
    ['of rehearsals', list("kind = 'rehearsal'"), 0],
    ['of a channel that hardly anybody uses', list("kind = 'live' and interaction_type = 'voice'"), 0],
    [
      'far down',
      list(`kind = 'live' and created_at <= now() - interval '60 days' and (created_at < now() - interval '60 days'
        or (created_at = now() - interval '60 days' and id < '7fffffff-ffff-4fff-bfff-ffffffffffff'))`),
      51,
    ],
  ])('%s reads its page', async (_, statement, page) => {
    const given = statement.includes('$1') ? [agentId] : [];
    for (const person of [admin, supervisor]) {
      const { scanned, fetched } = await readingOf(person, statement, given);
      expect(scanned).toBe(0);
      // Of what a supervisor may see one in four.
      expect(fetched).toBeLessThanOrEqual(page * 10);
    }
  });
});

describe('among many measurements', () => {
  it('the floor reads what housekeeping has not added up yet', async () => {
    await db.sql`select fold_tracks(200)`;
    for (const person of [admin, supervisor]) {
      const { first, scanned, fetched } = await readingOf(
        person,
        "select json_array_length(interaction_tracks(null, 60)) as rows, interaction_tracks(null, 60) #> '{0,times}' as times",
      );
      const rows = Number(first?.rows);
      expect(rows).toBeGreaterThan(0);
      expect(z.array(z.number()).parse(first?.times).length).toBeGreaterThan(20);
      expect(scanned).toBe(0);
      // Asked twice; of each some minutes at five seconds, and itself.
      expect(fetched).toBeLessThan(2 * rows * 100);
    }
  });

  it('one conversation is found by its key', async () => {
    const { scanned } = await readingOf(
      admin,
      "select interaction_tracks('00000000-0000-4000-8000-000000000000', 1000)",
    );
    expect(scanned).toBe(0);
  });
});

describe('among many interactions', () => {
  it.each([
    [
      'the limits of a new one read those of today',
      `select floorwalker.check_limits(b, $1, null, '{"per_business_minutes_per_day": 1000000, "per_business_open": 1000,
        "per_agent_per_minute": 1000}') from businesses b where id = (select business_id from agents where id = $1)`,
      500,
    ],
    [
      'retention reads those that are due',
      'select floorwalker.apply_policy(b, 10) from businesses b where id = (select business_id from agents where id = $1)',
      100,
    ],
  ])('%s', async (_, statement, most) => {
    const { scanned, fetched } = await readingOf(undefined, statement, [agentId]);
    expect(scanned).toBe(0);
    expect(fetched).toBeLessThan(most);
  });

  it('one that is to be deleted is found by its key', async () => {
    const [one] = await db.sql`select id from interactions where business_id = ${businessId} limit 1`;
    const { first, scanned, fetched } = await readingOf(
      undefined,
      "select floorwalker.subject_interactions($1::uuid, jsonb_build_object('interaction_id', $2::text)) as ids",
      [businessId, String(one?.id)],
    );
    expect(first?.ids).toEqual([one?.id]);
    expect(scanned).toBe(0);
    expect(fetched).toBeLessThan(5);
  });
});

/** As PostgreSQL explains it. */
interface Plan {
  readonly 'Node Type': string;
  readonly 'Relation Name'?: string | undefined;
  readonly Plans?: readonly Plan[] | undefined;
}
const planSchema: z.ZodType<Plan> = z.lazy(() =>
  z.object({
    'Node Type': z.string(),
    'Relation Name': z.string().optional(),
    Plans: z.array(planSchema).optional(),
  }),
);
const explainedSchema = z.tuple([z.object({ 'QUERY PLAN': z.tuple([z.object({ Plan: planSchema })]) })]);

function wholeTables(plan: Plan): string[] {
  const below = (plan.Plans ?? []).flatMap(wholeTables);
  const table = plan['Relation Name'];
  return plan['Node Type'].includes('Seq Scan') && table && LARGE.includes(table) ? [table, ...below] : below;
}

describe('among many interactions the plan', () => {
  it.each([
    ['of the floor', 'select * from live_interactions limit 100'],
    ['of the newest interactions', 'select * from interactions order by created_at desc, id desc limit 51'],
    [
      "of one conversation's measurements",
      `select * from realtime_metrics where interaction_id = '00000000-0000-4000-8000-000000000000'
       order by "timestamp" desc limit 60`,
    ],
  ])('%s reads no whole table', async (_, query) => {
    for (const person of [admin, supervisor]) {
      const rows = await db.sql.begin(async (tx) => {
        await tx`select set_config('request.jwt.claim.sub', ${person.id}, true)`;
        await tx`select set_config('request.jwt.claims', ${JSON.stringify({ sub: person.id, role: 'authenticated' })}, true)`;
        await tx`set local role authenticated`;
        return tx.unsafe(`explain (format json) ${query}`);
      });
      const [row] = explainedSchema.parse([...rows]);
      expect(wholeTables(row['QUERY PLAN'][0].Plan)).toEqual([]);
    }
  });
});
