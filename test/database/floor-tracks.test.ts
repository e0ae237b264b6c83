import { afterAll, beforeAll, expect, it } from 'vitest';
import { foldTracks } from '../../src/database/folds.ts';
import { completeInteraction } from '../../src/database/interactions.ts';
import { interactionTracks, type Track } from '../../src/database/tracks.ts';
import { type Floor, setupFloor, startInteraction } from './floor.ts';

const POINTS = 60;
const HOURS = 3;

let floor: Floor;
beforeAll(async () => {
  floor = await setupFloor();
});
afterAll(() => floor?.db.stop());

/** A conversation that began hours ago, measured every five seconds since. */
async function longConversation(): Promise<string> {
  const { sql, service } = floor.db;
  const { id } = await startInteraction(service, floor.agent);
  await sql`update interactions set started_at = now() - ${HOURS} * interval '1 hour' where id = ${id}`;
  await sql`
    insert into realtime_metrics (interaction_id, "timestamp", sentiment, satisfaction_score, feed_text, created_at)
    select ${id}, at, case n when 900 then 'critical' else 'good' end, case n when 900 then 3 else 80 end, 'Waits.', at
    from generate_series(1, ${HOURS * 720}::integer) n
    cross join lateral (select now() - ${HOURS} * interval '1 hour' + n * interval '5 s' as at) moment`;
  return id;
}

/** Also what was folded less than a minute ago is looked at again. */
async function foldAgain(): Promise<void> {
  await floor.db.sql`update floorwalker.tracks set folded_at = folded_at - interval '2 minutes'`;
  await foldTracks(floor.db.service);
}

async function cardOf(id: string): Promise<Track | undefined> {
  const tracks = await interactionTracks(floor.supervisor.client, { interactionId: null, points: POINTS });
  return tracks.find(({ interaction_id }) => interaction_id === id);
}

function expectDrawable(track: Track | undefined): void {
  expect(track).toBeDefined();
  if (!track) return;
  const { times, scores, sentiments } = track;
  expect(times.length).toBeGreaterThan(20);
  expect(times.length).toBeLessThanOrEqual(POINTS + 1);
  expect(scores).toHaveLength(times.length);
  expect(sentiments).toHaveLength(times.length);
  expect(times).toEqual([...times].sort((a, b) => a - b));
  expect(new Set(times).size).toBe(times.length);
  // A short crisis stays to be seen.
  expect(scores.filter((score) => score === 3)).toHaveLength(1);
  expect(sentiments.filter((sentiment) => sentiment === 'critical')).toHaveLength(1);
}

it('a card shows the same conversation, with its worst moment, from all measurements and from what is kept of them', async () => {
  const id = await longConversation();
  const before = await cardOf(id);
  expectDrawable(before);
  // A batch takes 2,000 of them.
  await foldTracks(floor.db.service);
  await foldAgain();
  const [kept] = await floor.db.sql`
    select jsonb_array_length(times) as points, until > now() - interval '5 minutes' as caught_up
    from floorwalker.tracks where interaction_id = ${id}`;
  expect(kept?.caught_up).toBe(true);
  expect(Number(kept?.points)).toBeGreaterThan(20);
  const after = await cardOf(id);
  expectDrawable(after);
  expect(after?.times.at(-1)).toBe(before?.times.at(-1));
  // Rounds with hardly anything new must not wear it away.
  for (let round = 0; round < 5; round += 1) await foldAgain();
  const [same] = await floor.db.sql`
    select jsonb_array_length(times) as points from floorwalker.tracks where interaction_id = ${id}`;
  expect(Number(same?.points)).toBeGreaterThanOrEqual(Number(kept?.points));
  expectDrawable(await cardOf(id));
});

it('nothing of it is kept when the conversation has ended', async () => {
  const { sql, service } = floor.db;
  const id = await longConversation();
  await foldTracks(service);
  const known = () => sql`select from floorwalker.tracks where interaction_id = ${id}`;
  expect(await known()).toHaveLength(1);
  const [row] = await sql`select generation from interactions where id = ${id}`;
  await completeInteraction(service, {
    interactionId: id,
    generation: Number(row?.generation),
    status: 'completed',
    endReason: 'customer_left',
  });
  await foldTracks(service);
  expect(await known()).toHaveLength(0);
});
