import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { claimTogether, createTogether } from '../../src/database/interactions.ts';
import { Together } from '../../src/database/together.ts';
import { type Floor, newInteraction, setupFloor } from './floor.ts';

const AT_ONCE = 12;
let floor: Floor;

beforeAll(async () => {
  floor = await setupFloor();
});
afterAll(() => floor?.db.stop());

test('what is asked for while an answer is on its way goes together, and each gets its own answer', async () => {
  const answers: ((error?: Error) => void)[] = [];
  const sent: number[][] = [];
  const together = new Together(async (items: readonly number[]) => {
    sent.push([...items]);
    await new Promise<void>((resolve, reject) =>
      answers.push((error) => (error ? reject(error) : resolve())),
    );
    return items.map((item) => item * 10);
  }, 3);
  const asked = [1, 2, 3, 4, 5].map((item) => together.ask(item));
  answers[0]?.();
  await expect(asked[0]).resolves.toBe(10);
  await expect.poll(() => sent.length).toBe(2);
  answers[1]?.(new Error('the line is cut'));
  for (const one of asked.slice(1, 4)) await expect(one).rejects.toThrow('the line is cut');
  // Those behind a failure are still sent.
  await expect.poll(() => sent.length).toBe(3);
  answers[2]?.();
  await expect(asked[4]).resolves.toBe(50);
  expect(sent).toEqual([[1], [2, 3, 4], [5]]);
});

test('of many who begin at once, one who may not is told why, and everybody else has a conversation of their own', async () => {
  const { db, agent, other } = floor;
  const hidden = await db.createAgent({ businessId: other.id, isPublic: false });
  const create = createTogether(db.service);
  const wanted = Array.from({ length: AT_ONCE }, (_, nth) => newInteraction(nth % 4 === 1 ? hidden : agent));
  const made = await Promise.allSettled([
    ...wanted.map((one) => create(one)),
    create({ ...newInteraction(agent), agent_id: 'nobody' }),
  ]);
  const outcomes = made.map((one) => (one.status === 'fulfilled' ? 'made' : one.reason.code));
  expect(outcomes).toEqual([
    ...wanted.map((_, nth) => (nth % 4 === 1 ? 'agent_not_public' : 'made')),
    'agent_not_found',
  ]);
  const ids = made.flatMap((one) => (one.status === 'fulfilled' ? [one.value.interaction_id] : []));
  expect(new Set(ids).size).toBe(ids.length);
});

test('taken at once, from several processes, an agent has as many conversations as it may, and each has one holder', async () => {
  const { db, business } = floor;
  const places = 5;
  const agent = await db.createAgent({ businessId: business.id, maxConcurrentInteractions: places });
  const create = createTogether(db.service);
  const made = await Promise.all(Array.from({ length: AT_ONCE }, () => create(newInteraction(agent))));
  const workers = ['one', 'two', 'three'];
  const takes = workers.map(() => claimTogether(db.service, 60));
  const claims = await Promise.all(
    made.flatMap(({ interaction_id: id }) =>
      workers.map(async (worker, nth) => ({ id, claim: await takes[nth]?.(id, worker) })),
    ),
  );
  const taken = claims.flatMap(({ id, claim }) => (claim?.claimed ? [id] : []));
  expect(taken).toHaveLength(places);
  expect(new Set(taken).size).toBe(places);
  const refusals = new Set(claims.flatMap(({ claim }) => (claim?.claimed === false ? [claim.reason] : [])));
  expect([...refusals].sort()).toEqual(['agent_at_capacity', 'held']);
  await expect(takes[0]?.(randomUUID(), 'one')).resolves.toEqual({ claimed: false, reason: 'not_found' });
});
