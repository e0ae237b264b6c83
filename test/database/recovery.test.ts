import { afterAll, beforeAll, expect, it } from 'vitest';
import { claimInteraction } from '../../src/database/interactions.ts';
import {
  claimableInteractions,
  heartbeat,
  keepClaims,
  type Lease,
  releaseLease,
  releaseWorker,
} from '../../src/database/leases.ts';
import { loadSession } from '../../src/database/session-load.ts';
import { type Floor, setupFloor, startInteraction } from './floor.ts';

let floor: Floor;
beforeAll(async () => {
  floor = await setupFloor();
});
afterAll(() => floor?.db.stop());

const expire = (id: string) => floor.db.sql`update interactions set lease_until = now() where id = ${id}`;

async function claim(interactionId: string, workerId = 'worker-b') {
  const claimed = await claimInteraction(floor.db.service, { interactionId, workerId, leaseSeconds: 30 });
  if (!claimed.claimed) throw new Error(`not claimed: ${claimed.reason}`);
  return { ...claimed, key: { interactionId, generation: claimed.generation } };
}

it('a worker renews what it has claimed until the process of it has begun, which then alone can', async () => {
  const { service } = floor.db;
  const mine = await startInteraction(service, floor.agent);
  const keep = () => keepClaims(service, { workerId: 'worker-a', claims: [mine.key], leaseSeconds: 30 });
  expect(await keep()).toEqual([mine.id]);
  expect(await keepClaims(service, { workerId: 'b', claims: [mine.key], leaseSeconds: 30 })).toEqual([]);
  await expire(mine.id);
  const loaded = await loadSession(service, { ...mine.key, leaseSeconds: 30 });
  expect(loaded.handed_over).toBe(false);
  // The load itself has renewed it.
  const offered = await claimableInteractions(service, { limit: 1_000 });
  expect(offered.map(({ interaction_id }) => interaction_id)).not.toContain(mine.id);
  expect(await keep()).toEqual([]);
  expect(await heartbeat(service, { workerId: 'worker-a', leases: [mine.key], leaseSeconds: 30 })).toEqual([
    { interaction_id: mine.id, held: true },
  ]);
});

it('a successor knows whether the one before it left in good order', async () => {
  const { service } = floor.db;
  const mine = await startInteraction(service, floor.agent);
  const load = async (key: Lease) => (await loadSession(service, key)).handed_over;
  await releaseLease(service, mine.key, { handedOver: true });
  const second = await claim(mine.id);
  expect(await load(second.key)).toBe(true);
  await releaseLease(service, second.key);
  const third = await claim(mine.id);
  expect(await load(third.key)).toBe(false);
  // Two that died before they had begun broke nothing off, and are no reason to excuse anything.
  await releaseLease(service, third.key, { handedOver: true });
  await claim(mine.id);
  await expire(mine.id);
  await claim(mine.id);
  await expire(mine.id);
  const sixth = await claim(mine.id);
  expect(sixth.interaction.recoveries).toBe(3);
  expect(await load(sixth.key)).toBe(true);
  // After a loss that nobody has excused yet, the next one has to.
  await expire(mine.id);
  await claim(mine.id);
  await expire(mine.id);
  expect(await load((await claim(mine.id)).key)).toBe(false);
});

it('counts losses in a row: hand-overs are none, and a stretch of health begins anew', async () => {
  const { service } = floor.db;
  const mine = await startInteraction(service, floor.agent);
  const recoveries: number[] = [];
  const again = async () => {
    await expire(mine.id);
    const claimed = await claim(mine.id);
    recoveries.push(claimed.interaction.recoveries);
    return claimed;
  };
  await again();
  const second = await again();
  await releaseLease(service, second.key, { handedOver: true });
  recoveries.push((await claim(mine.id)).interaction.recoveries);
  await again();
  await floor.db.sql`update interactions set claimed_at = now() - interval '6 minutes' where id = ${mine.id}`;
  await again();
  expect(recoveries).toEqual([1, 2, 2, 3, 1]);
});

it('everything that a dead process held is given back together, and nothing of another', async () => {
  const { service } = floor.db;
  const [one, two, other] = await Promise.all([
    startInteraction(service, floor.agent),
    startInteraction(service, floor.agent),
    startInteraction(service, floor.agent),
  ]);
  await floor.db.sql`update interactions set worker_id = 'host-1' where id = any(${[one.id, two.id]})`;
  expect(await releaseWorker(service, 'host-1')).toBe(2);
  expect(await releaseWorker(service, 'host-1')).toBe(0);
  const offered = (await claimableInteractions(service, { limit: 1_000 })).map((row) => row.interaction_id);
  expect(offered).toEqual(expect.arrayContaining([one.id, two.id]));
  expect(offered).not.toContain(other.id);
});
