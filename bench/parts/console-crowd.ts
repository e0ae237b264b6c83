import { z } from 'zod';
import { signIn, type TestBrowser } from '../../test/support/chromium.ts';
import type { Agent } from '../../test/support/fixtures.ts';
import type { Measurements } from '../measurements.ts';
import type { Stack } from '../stack.ts';
import { watchOwnTime } from './own-time.ts';

const CROWD = 100;
/** Each conversation is measured as often, and says something as often: what a hundred sessions write. */
const ROUND_MS = 5_000;
/** Each has its own moment within the round, as sessions have. */
const PARTS = 25;
/** A task that is longer delays an answer so much that a person can feel it. */
const LONG_MS = 50;
const number = z.number();

/** Rows as a worker would write them; nothing but the page is measured. */
async function crowd(stack: Stack, agent: Agent): Promise<string[]> {
  const rows = await stack.sql<{ id: string }[]>`
    insert into interactions (business_id, agent_id, interaction_type, livekit_room_id, status, started_at, answered_at,
      phone_number, phone_source, generation, worker_id, lease_until)
    select ${agent.businessId}, ${agent.id}, 'chat', 'bench-' || gen_random_uuid(), 'active', now() - n * interval '7 s', now(),
      '+4416329' || (60000 + n), 'claimed', 1, 'bench', now() + interval '1 hour'
    from generate_series(1, ${CROWD}) n returning id`;
  const ids = rows.map(({ id }) => id);
  await stack.sql`
    insert into realtime_metrics (interaction_id, timestamp, sentiment, satisfaction_score, feed_text)
    select i.id, now() - n * interval '5 s', (array['good', 'neutral', 'critical'])[1 + (n / 7) % 3],
      50 + 40 * sin(n / 5.0), 'Customer asks when the parcel arrives; the agent looks it up.'
    from unnest(${ids}::uuid[]) i(id), generate_series(1, 120) n`;
  return ids;
}

async function happen(stack: Stack, ids: readonly string[], part: number, round: number): Promise<void> {
  const some = ids.filter((_id, index) => index % PARTS === part);
  await stack.sql`
    insert into realtime_metrics (interaction_id, sentiment, satisfaction_score, feed_text)
    select i.id, (array['good', 'neutral', 'critical'])[1 + (${part} + ${round} / 6)::int % 3], 20 + random() * 60, 'Round ' || ${String(round)}
    from unnest(${some}::uuid[]) i(id)`;
  await stack.sql`
    insert into interaction_messages (interaction_id, item_id, seq, role, content, spoken_at)
    select i.id, 'm' || ${String(round)}, ${round}, (array['customer', 'agent'])[1 + ${round} % 2], 'What was said in this round.', now()
    from unnest(${some}::uuid[]) i(id)`;
}

const OWN: readonly (readonly [metric: string, name: string])[] = [
  ['TaskDuration', 'main thread busy, of each second'],
  ['ScriptDuration', '  with scripts'],
  ['LayoutDuration', '  with layout'],
  ['RecalcStyleDuration', '  with styles'],
];

export async function measureCrowd(
  stack: Stack,
  browser: TestBrowser,
  agent: Agent,
  watchMs: number,
  results: Measurements,
): Promise<void> {
  const ids = await crowd(stack, agent);
  const page = await browser.newPage({ width: 1_440, height: 900 });
  await signIn(page, stack.apiUrl, stack.supervisor);
  await page
    .locator('.card')
    .nth(CROWD - 1)
    .waitFor({ state: 'attached' });
  await page.evaluate(`
    globalThis.tasks = [];
    new PerformanceObserver((list) => { for (const { duration } of list.getEntries()) tasks.push(duration); })
      .observe({ type: 'longtask' });
    globalThis.frames = [];
    let before = performance.now();
    const frame = (now) => { frames.push(now - before); before = now; requestAnimationFrame(frame); };
    requestAnimationFrame(frame);`);
  const own = await watchOwnTime(page);
  const beganAt = Date.now();
  for (let round = 1; Date.now() < beganAt + watchMs; round += 1) {
    for (let part = 0; part < PARTS && Date.now() < beganAt + watchMs; part += 1) {
      await happen(stack, ids, part, round);
      await page.mouse.wheel(0, part % 2 === 0 ? 240 : -200);
      await new Promise((resolve) => setTimeout(resolve, ROUND_MS / PARTS));
    }
  }
  const tookMs = Date.now() - beganAt;
  const { spent, tasksMs } = await own();
  const tasks = z.array(number).parse(await page.evaluate('tasks'));
  const frames = z.array(number).parse(await page.evaluate('frames'));
  for (const duration of frames) results.add('console', `frame, ${CROWD} conversations`, duration);
  for (const duration of tasks.length > 0 ? tasks : [0]) {
    results.add('console', `long task (over 50 ms), ${CROWD} conversations`, duration);
  }
  const total = tasks.reduce((sum, duration) => sum + duration, 0);
  const blocked = tasks.reduce((sum, duration) => sum + duration - LONG_MS, 0);
  const per30s = 30_000 / tookMs;
  results.add('console', '  long tasks in all, of 30 s', total * per30s);
  results.add('console', '  blocked beyond 50 ms, of 30 s', blocked * per30s);
  results.add('console', '  share of the time in long tasks', total / tookMs, 'x');
  // Those that the page makes long by itself, on whatever machine.
  const long = tasksMs.filter((duration) => duration > LONG_MS);
  for (const duration of long.length > 0 ? long : [0]) {
    results.add('console', `long task by own time, ${CROWD} conversations`, duration);
  }
  results.add('console', '  in all, of 30 s', long.reduce((sum, duration) => sum + duration, 0) * per30s);
  for (const [metric, name] of OWN) {
    results.add('console', `${name}, ${CROWD} conversations`, ((spent[metric] ?? 0) * 1_000_000) / tookMs);
  }
  const heap = await page.evaluate('performance.memory.usedJSHeapSize / 1024 / 1024');
  results.add('console', `heap, ${CROWD} conversations`, number.parse(heap), 'MB');
  await page.context().close();
  await stack.sql`update interactions set status = 'completed', ended_at = now() where id = any (${ids}::uuid[])`;
}
