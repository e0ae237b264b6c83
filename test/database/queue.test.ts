import { afterAll, beforeAll, expect, it } from 'vitest';
import { createInteraction, resumeInteraction } from '../../src/database/interactions.ts';
import { claimableInteractions, waitingInteractions } from '../../src/database/leases.ts';
import { setupDatabase, type TestDatabase } from '../support/database.ts';
import type { Agent } from '../support/fixtures.ts';
import { newInteraction, startInteraction } from './floor.ts';

let db: TestDatabase;
beforeAll(async () => {
  db = await setupDatabase();
});
afterAll(() => db?.stop());

async function agentWith(places: number): Promise<Agent> {
  const { id: businessId } = await db.createBusiness();
  return db.createAgent({ businessId, maxConcurrentInteractions: places });
}

const begin = (agent: Agent) => createInteraction(db.service, newInteraction(agent));
const ids = (rows: readonly { interaction_id: string }[]) => rows.map((row) => row.interaction_id);

it('tells each its place, which moves up as those before are served or give up', async () => {
  const agent = await agentWith(1);
  await startInteraction(db.service, agent);
  const [first, second, third] = [await begin(agent), await begin(agent), await begin(agent)];
  expect([first, second, third].map(({ position, status }) => [position, status])).toEqual([
    [1, 'queued'],
    [2, 'queued'],
    [3, 'queued'],
  ]);
  await db.sql`select floorwalker.end_interaction(i, 'failed', 'left_queue') from interactions i where id = ${first.interaction_id}`;
  const waiting = (await waitingInteractions(db.service)).filter(({ interaction_id }) =>
    [second.interaction_id, third.interaction_id].includes(interaction_id),
  );
  expect(waiting.map(({ position }) => position)).toEqual([1, 2]);
  await db.sql`update interactions set resume_token_hash = 'token' where id = ${third.interaction_id}`;
  const asked = { interactionId: third.interaction_id, resumeTokenHash: 'token' };
  expect(await resumeInteraction(db.service, asked)).toMatchObject({ status: 'queued', position: 2 });
});

it('offers workers only as many of an agent as it has places, the longest waiting first', async () => {
  const agent = await agentWith(3);
  const other = await agentWith(1);
  await startInteraction(db.service, agent);
  const waiting = [await begin(agent), await begin(agent), await begin(agent)];
  const elsewhere = await begin(other);
  const mine = new Set(ids([...waiting, elsewhere]));
  const offered = (await claimableInteractions(db.service)).filter((row) => mine.has(row.interaction_id));
  expect(ids(offered)).toEqual(ids([...waiting.slice(0, 2), elsewhere]));
});

it('lets a new one be taken at once only when nobody has waited longer', async () => {
  const agent = await agentWith(2);
  const [first, second, third] = [await begin(agent), await begin(agent), await begin(agent)];
  // Those who come together are taken together, as far as there are places.
  expect([first, second, third].map((row) => row.first_in_turn)).toEqual([true, true, false]);
  const busy = await db.createAgent({ businessId: agent.businessId, maxConcurrentInteractions: 5 });
  await db.sql`update interactions set queued_at = now() - interval '10 seconds' where id = ${first.interaction_id}`;
  // Another agent of the same business and channel, but the workers are the same.
  expect((await begin(busy)).first_in_turn).toBe(false);
  expect((await begin(await agentWith(1))).first_in_turn).toBe(true);
});
