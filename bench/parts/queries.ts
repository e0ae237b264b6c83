import { z } from 'zod';
import { encodeCursor } from '../../src/api/page.ts';
import type { Person } from '../../test/support/fixtures.ts';
import { type Home, seedHistory, seedOpenChats } from '../history.ts';
import type { Measurements } from '../measurements.ts';
import type { BenchOptions } from '../options.ts';
import type { Stack } from '../stack.ts';

/** A business of so many agents, of which a supervisor has three. */
const AGENTS = 60;
const OWN = [0, 20, 40];
/** As many as `LIMIT_BUSINESS_OPEN` lets a business have. */
const OPEN_CHATS = 200;
/** Their chats stand in the same tables. */
const NEIGHBOURS = 2;
/** Rows that the console asks for at once. */
const PAGE = 50;
/** Retention begins after 90. */
const DAYS = 89;
const NAME = 'A business with a past';
const daysAgo = (days: number): string => new Date(Date.now() - days * 86_400_000).toISOString();
const SOMEWHERE = '7fffffff-ffff-4fff-bfff-ffffffffffff';

type Path = (nth: number) => string;
const listOf = (path: string) => {
  return (filter: (nth: number) => Record<string, string>): Path =>
    (nth) =>
      `${path}?${new URLSearchParams({ limit: String(PAGE), ...filter(nth) }).toString()}`;
};
const archives = listOf('/v1/archives');
const interactions = listOf('/v1/interactions');
const inOneWeek = (nth: number) => ({ from: daysAgo(30 + nth / 2), to: daysAgo(23 + nth / 2) });

/** What the console asks, and what else the API lets people ask, with other arguments each time. */
const paths = (agentIds: readonly string[]): readonly (readonly [name: string, path: Path])[] => {
  const agent = (nth: number) => agentIds[OWN[nth % OWN.length] ?? 0] ?? '';
  return [
    ['floor: how the open chats went', () => '/v1/floor'],
    ['floor: the open chats', () => '/v1/interactions?status=queued,active&limit=200'],
    ['floor: decisions that wait', () => '/v1/permissions?limit=200'],
    ['floor: callbacks that wait', () => '/v1/callbacks?limit=200'],
    ['interactions: newest', interactions(() => ({}))],
    [
      'interactions: a page far down',
      interactions((nth) => ({ cursor: encodeCursor([daysAgo(nth * 3), SOMEWHERE]) })),
    ],
    ['interactions: of an agent', interactions((nth) => ({ agent_id: agent(nth) }))],
    ['interactions: failed ones', interactions(() => ({ status: 'failed' }))],
    ['interactions: calls, of which there are none', interactions(() => ({ channel: 'voice' }))],
    ['interactions: rehearsals', interactions(() => ({ kind: 'rehearsal' }))],
    ['archives: newest', archives(() => ({}))],
    [
      'archives: a page far down',
      archives((nth) => ({ cursor: encodeCursor([daysAgo(nth * 3), SOMEWHERE]) })),
    ],
    ['archives: of an agent', archives((nth) => ({ agent_id: agent(nth) }))],
    ['archives: frequent word', archives((nth) => ({ text: `w${1 + nth}` }))],
    ['archives: word of one in a hundred', archives((nth) => ({ text: `w${800 + nth}` }))],
    ['archives: word of one in a thousand', archives((nth) => ({ text: `w${8_000 + nth * 7}` }))],
    ['archives: rare word', archives((nth) => ({ text: `w${15_000 + nth * 7}` }))],
    ['archives: word that nobody said', archives((nth) => ({ text: `unheardof${nth}` }))],
    ['archives: two words', archives((nth) => ({ text: `w${3 + nth} w${900 + nth}` }))],
    [
      'archives: two words, far down',
      archives((nth) => ({
        text: `w${200 + nth} w${300 + nth}`,
        cursor: encodeCursor([daysAgo(20 + nth), SOMEWHERE]),
      })),
    ],
    ['archives: two rare words', archives((nth) => ({ text: `w${5_000 + nth} w${6_000 + nth}` }))],
    ['archives: one word or another', archives((nth) => ({ text: `w${5_000 + nth} or w${6_000 + nth}` }))],
    ['archives: a word without another', archives((nth) => ({ text: `w${900 + nth} -w${3 + nth}` }))],
    // PostgreSQL reads each archive that has all of the words: where they are frequent and never stand beside each
    // other, that is nearly all of them.
    ['archives: frequent phrase', archives((nth) => ({ text: `"w${1 + nth} w${3 + nth}"` }))],
    ['archives: phrase of rare words', archives((nth) => ({ text: `"w${2_000 + nth} w${3_000 + nth}"` }))],
    [
      'archives: frequent words in a phrase nobody said',
      archives((nth) => ({ text: `"w1 w2 w3 w4 w${5 + nth}"` })),
    ],
    [
      'archives: six frequent words and a tag',
      archives((nth) => ({ text: 'w3 w5 w7 w11 w13 w17', tag: `topic_${nth % 20}` })),
    ],
    ['archives: end of a phone number', archives((nth) => ({ phone: String(1_000 + nth * 37) }))],
    ['archives: whole phone number', archives((nth) => ({ phone: `+3161${String(2_345_678 + nth * 371)}` }))],
    ['archives: issue', archives((nth) => ({ issue: `issue_${nth % 50}` }))],
    [
      'archives: issue and sentiment',
      archives((nth) => ({ issue: `issue_${nth % 50}`, sentiment: 'critical' })),
    ],
    ['archives: word in one week', archives((nth) => ({ text: `w${100 + nth}`, ...inOneWeek(nth) }))],
    ['archives: rare word in one week', archives((nth) => ({ text: `w${9_000 + nth}`, ...inOneWeek(nth) }))],
    ['archives: word of an agent', archives((nth) => ({ text: `w${2_000 + nth}`, agent_id: agent(nth) }))],
    ['performance: score, leaderboard, agents, month', () => '/v1/performance?period=month'],
    ['performance: score, leaderboard, agents, today', () => '/v1/performance?period=today'],
    ['performance: series of 30 days', () => '/v1/performance/series?days=30'],
    [
      'performance: series of a year, one agent',
      (nth) => `/v1/performance/series?days=366&agent_id=${agent(nth)}`,
    ],
  ];
};

const idsSchema = z.array(z.object({ id: z.string() }));

/** The past, made now or found in the folder that the run was given. */
async function homes(
  stack: Stack,
  { interactions: ended, metrics }: BenchOptions,
  results: Measurements,
): Promise<Home> {
  const { sql, fixtures } = stack;
  const [known] = idsSchema.parse([
    ...(await sql`select b.id from businesses b where b.name = ${NAME}
      and (select count(*) from floorwalker.archive_search) = ${ended} order by b.created_at desc limit 1`),
  ]);
  if (known !== undefined) {
    const agents = await sql`select id from agents where business_id = ${known.id} order by created_at, id`;
    return { businessId: known.id, agentIds: idsSchema.parse([...agents]).map(({ id }) => id) };
  }
  const home = async (agents: number): Promise<Home> => {
    const { id: businessId } = await fixtures.createBusiness({ name: NAME, timeZone: 'Europe/Amsterdam' });
    const supervisors = [];
    const agentIds: string[] = [];
    for (let n = 0; n < agents; n += 1) {
      if (n % 3 === 0) supervisors.push((await fixtures.createUser({ businessId })).id);
      const supervisorId = supervisors.at(-1) ?? '';
      agentIds.push((await fixtures.createAgent({ businessId, supervisorId })).id);
    }
    return { businessId, agentIds };
  };
  results.tell(`making ${ended} interactions and ${metrics} rows of metrics`);
  const neighbours = [];
  for (let n = 0; n < NEIGHBOURS; n += 1) neighbours.push(await home(3));
  const own = await home(AGENTS);
  await seedHistory(sql, { ...own, interactions: ended, wordsEach: 80, days: DAYS });
  await seedOpenChats(sql, { homes: [own, ...neighbours], chats: OPEN_CHATS, metrics });
  return own;
}

/** Waits until housekeeping has caught up, which production has done since the chats began. */
async function untilFolded({ sql }: Stack): Promise<void> {
  for (;;) {
    // The API may be doing it at this moment, also after it has given up waiting: beside that nothing would be done.
    await sql`select pg_advisory_xact_lock(hashtextextended('fold_tracks', 0))`;
    await sql`select fold_tracks(200)`;
    const [left] = await sql`
      select from interactions i left join floorwalker.tracks t on t.interaction_id = i.id
      where i.status = 'active' and i.kind = 'live' and exists (select from realtime_metrics m
        where m.interaction_id = i.id and m."timestamp" > coalesce(t.until, '-infinity')
          and m."timestamp" < clock_timestamp() - interval '2 minutes') limit 1`;
    if (left === undefined) return;
    await sql`update floorwalker.tracks set folded_at = folded_at - interval '1 minute'`;
  }
}

const searchedSchema = z.object({
  data: z.array(z.unknown()),
  next_cursor: z.string().nullable(),
  looked_back_to: z.string().nullable(),
});

async function ask(stack: Stack, { accessToken }: Person, path: string): Promise<string> {
  const answer = await fetch(`${stack.apiUrl}${path}`, {
    headers: { authorization: `Bearer ${accessToken}` },
  });
  const text = await answer.text();
  if (!answer.ok) throw new Error(`${path} answered ${answer.status}: ${text}`);
  return text;
}

/**
 * The rest of a search that has stopped on the way, as the console asks for it: until a page came full or nothing is left.
 *
 * @returns whether there was any.
 */
async function askOn(stack: Stack, person: Person, path: string, first: string): Promise<boolean> {
  const read = (text: string) => searchedSchema.safeParse(JSON.parse(text)).data;
  const url = new URL(path, stack.apiUrl);
  let page = read(first);
  if (!page?.looked_back_to) return false;
  for (let found = page.data.length; page?.looked_back_to && found < PAGE; ) {
    url.searchParams.set('cursor', page.next_cursor ?? '');
    page = read(await ask(stack, person, `${url.pathname}${url.search}`));
    found += page?.data.length ?? 0;
  }
  return true;
}

/** What the console asks for while the business has much behind it: of the API, as a supervisor and as an admin. */
export async function measureQueries(
  stack: Stack,
  options: BenchOptions,
  results: Measurements,
): Promise<void> {
  const { sql, fixtures } = stack;
  const { businessId, agentIds } = await homes(stack, options, results);
  const [admin, supervisor] = await Promise.all([
    fixtures.createUser({ businessId, role: 'admin' }),
    fixtures.createUser({ businessId }),
  ]);
  const own = OWN.map((place) => agentIds[place] ?? '');
  await sql`update agents set supervisor_id = ${supervisor.id} where id = any (${own})`;
  await untilFolded(stack);
  // What was written must not be on its way to the disk while it is read.
  await sql`checkpoint`;
  for (const [who, person] of [
    ['admin', admin],
    ['supervisor', supervisor],
  ] as const) {
    for (const [name, path] of paths(agentIds)) {
      await ask(stack, person, path(0));
      results.tell(`${name} (${who})`);
      for (let nth = 1; nth <= options.queries; nth += 1) {
        await results.attempt('queries', async () => {
          const startedAt = performance.now();
          const answer = await ask(stack, person, path(nth));
          results.add('queries', `${name} (${who})`, performance.now() - startedAt);
          if (await askOn(stack, person, path(nth), answer)) {
            results.add('queries', `${name} (${who}), until a page is full`, performance.now() - startedAt);
          }
        });
      }
    }
  }
}
