import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { wantsJson } from '../support/model.ts';
import { waitUntil } from '../support/stack.ts';
import { audit } from './support/audit.ts';
import type { Hold, HoldOptions } from './support/database-proxy.ts';
import { APOLOGY } from './support/shop.ts';
import { setupWorld, type Visit, type World } from './support/world.ts';

/** The worker dies with all its processes when a conversation begins or ends; `npm run faults` tries each step. */
const WHOLE = process.env.FAULTS === 'all';
const LONG = { timeout: 120_000 };
const PATIENT = { deadlineMs: 60_000 };

let world: World;
beforeAll(async () => {
  world = await setupWorld({ workers: 1 });
}, 120_000);
afterAll(() => world?.stop(), 60_000);

/** Everything that lives dies at this moment; somebody new is there. */
async function dieAt(hold: Hold): Promise<void> {
  await hold.reached;
  for (const worker of world.workers) if (worker.alive) await worker.killAll();
  hold.release('lost');
  await world.startWorker();
}

const matching = 'Welcome to the shop';
/** `unknown`: nobody can know that they were greeted, and they are greeted again. */
const BEGINNINGS: readonly { name: string; at: HoldOptions; unknown?: true; sampled?: true }[] = [
  { name: 'is about to be claimed', at: { call: 'claim_interactions', when: 'before' } },
  { name: 'is claimed', at: { call: 'claim_interactions', when: 'after' }, sampled: true },
  { name: 'is about to be loaded', at: { call: 'load_session', when: 'before' } },
  { name: 'is loaded', at: { call: 'load_session', when: 'after' } },
  {
    name: 'was greeted, which is about to be stored',
    at: { call: 'append_records', when: 'before', matching },
    unknown: true,
  },
  { name: 'was greeted, which is stored', at: { call: 'append_records', when: 'after', matching } },
];

describe('everything dies when a conversation', () => {
  const those = BEGINNINGS.filter(({ sampled }) => WHOLE || sampled);
  test.each(those)('$name: the next worker begins, or goes on', LONG, async ({ at, unknown }) => {
    const hold = world.proxy.hold(at);
    const [visit] = await Promise.all([world.visit(), dieAt(hold)]);
    await visit.say('here I am');
    await visit.customer.waitForText('Heard: here I am', PATIENT);
    await world.close(visit);
    expect(await audit(world, visit, 1)).toEqual([]);
    // Whoever has not read a word yet is not told of a loss.
    const firstWords = visit.customer.agentTexts.at(0);
    expect(firstWords).toMatch(matching);
    const greetings = visit.customer.agentTexts.filter((text) => text.includes(matching)).length;
    expect(greetings).toBeLessThanOrEqual(unknown ? 2 : 1);
  });
});

const ENDS: readonly { name: string; arm: (world: World) => Hold; sampled?: true }[] = [
  {
    name: 'is about to be archived',
    arm: ({ proxy }) => proxy.hold({ call: 'complete_interaction', when: 'before' }),
  },
  {
    name: 'is archived',
    arm: ({ proxy }) => proxy.hold({ call: 'complete_interaction', when: 'after' }),
    sampled: true,
  },
  { name: 'is being summed up', arm: ({ holdModel }) => holdModel(wantsJson) },
];

describe('everything dies when a conversation that its customer has left', () => {
  const those = ENDS.filter(({ sampled }) => WHOLE || sampled);
  test.each(those)('$name: it is archived, once', LONG, async ({ arm }) => {
    const visit: Visit = await world.visit();
    await visit.say('a last question');
    await visit.customer.waitForText('Heard: a last question', PATIENT);
    await visit.customer.waitForAck(visit.sent[0]?.id ?? '', PATIENT);
    const hold = arm(world);
    await visit.customer.leave();
    await dieAt(hold);
    const { sql } = world.stack.database;
    const [archive] = await waitUntil(async () => {
      const rows = await sql`
        select a.facts, a.summary, i.end_reason from interactions i join interaction_archives a on a.interaction_id = i.id
        where i.id = ${visit.id} and i.status = 'completed'`;
      return rows.length > 0 ? rows : undefined;
    }, 60_000);
    expect(archive).toMatchObject({
      end_reason: 'customer_left',
      facts: { messages: { customer: 1 } },
      summary: expect.stringContaining('1 message from the customer'),
    });
    expect(await audit(world, visit, 1)).toEqual([]);
    expect(visit.customer.texts.filter(({ text }) => APOLOGY.test(text))).toEqual([]);
  });
});
