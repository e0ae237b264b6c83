import type { SupabaseClient } from '@supabase/supabase-js';
import { seedHistory, seedOpenChats } from '../history.ts';
import type { Measurements } from '../measurements.ts';
import type { BenchOptions } from '../options.ts';
import type { Stack } from '../stack.ts';

/** A business of so many agents and supervisors, who have three agents each. */
const AGENTS = 60;
const SUPERVISORS = 20;
const OPEN_CHATS = 500;
const DAYS = 90;

type Query = (db: SupabaseClient, nth: number) => PromiseLike<{ error: { message: string } | null }>;

const search = (filter: (nth: number) => object): Query => {
  return (db, nth) => db.rpc('search_archives', { p_filter: { kind: 'live', ...filter(nth) }, p_limit: 51 });
};

/** What the console asks, with other arguments each time. */
const QUERIES: readonly (readonly [name: string, query: Query])[] = [
  ['floor: open chats, newest metrics', (db) => db.from('live_interactions').select('*').limit(100)],
  [
    'history: newest interactions',
    (db) =>
      db.from('interactions').select('*').order('created_at', { ascending: false }).order('id').limit(51),
  ],
  ['archives: newest', search(() => ({}))],
  ['archives: frequent word', search((nth) => ({ text: `w${1 + nth}` }))],
  ['archives: rare word', search((nth) => ({ text: `w${10_000 + nth * 7}` }))],
  ['archives: word of one in a hundred', search((nth) => ({ text: `w${60 + nth}` }))],
  ['archives: two words', search((nth) => ({ text: `w${3 + nth} w${900 + nth}` }))],
  ['archives: end of a phone number', search((nth) => ({ phone: String(1_000 + nth * 37) }))],
  ['archives: issue and sentiment', search((nth) => ({ issue: `issue_${nth % 50}`, sentiment: 'critical' }))],
  [
    'archives: word in one week',
    search((nth) => ({
      text: `w${100 + nth}`,
      from: new Date(Date.now() - (30 + nth) * 86_400_000).toISOString(),
      to: new Date(Date.now() - (23 + nth) * 86_400_000).toISOString(),
    })),
  ],
  ['performance: score and leaderboard, month', (db) => db.rpc('leaderboard', { p_period: 'month' })],
  ['performance: score and leaderboard, today', (db) => db.rpc('leaderboard', { p_period: 'today' })],
  ['performance: by agent, month', (db) => db.rpc('performance_by_agent', { p_period: 'month' })],
  ['performance: series of 30 days', (db) => db.rpc('performance_series', { p_days: 30 })],
];

/** What the console asks for while the business has much behind it: through REST, as a supervisor and as an admin. */
export async function measureQueries(
  stack: Stack,
  options: BenchOptions,
  results: Measurements,
): Promise<void> {
  const { sql, fixtures } = stack;
  const { id: businessId } = await fixtures.createBusiness({ timeZone: 'Europe/Amsterdam' });
  const supervisors = [];
  for (let n = 0; n < SUPERVISORS; n += 1) supervisors.push(await fixtures.createUser({ businessId }));
  const [supervisor] = supervisors;
  if (!supervisor) throw new Error('nobody was made');
  const agentIds: string[] = [];
  for (let n = 0; n < AGENTS; n += 1) {
    const supervisorId = (supervisors[n % SUPERVISORS] ?? supervisor).id;
    agentIds.push((await fixtures.createAgent({ businessId, supervisorId })).id);
  }
  const admin = await fixtures.createUser({ businessId, role: 'admin' });
  const { interactions, metrics, queries } = options;
  results.tell(`making ${interactions} interactions and ${metrics} rows of metrics`);
  await seedHistory(sql, { businessId, agentIds, interactions, wordsEach: 80, days: DAYS });
  await seedOpenChats(sql, { businessId, agentIds, chats: OPEN_CHATS, metrics });

  for (const [who, person] of [
    ['admin', admin],
    ['supervisor', supervisor],
  ] as const) {
    for (const [name, query] of QUERIES) {
      await query(person.client, 0);
      results.tell(`${name} (${who})`);
      for (let nth = 1; nth <= queries; nth += 1) {
        await results.attempt('queries', async () => {
          const startedAt = performance.now();
          const { error } = await query(person.client, nth);
          if (error) throw new Error(`${name}: ${error.message}`);
          results.add('queries', `${name} (${who})`, performance.now() - startedAt);
        });
      }
    }
  }
}
