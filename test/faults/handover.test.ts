import { afterAll, beforeAll, expect, test } from 'vitest';
import { waitUntil } from '../support/stack.ts';
import { audit } from './support/audit.ts';
import { setupWorld, type Visit, type World } from './support/world.ts';

let world: World;
beforeAll(async () => {
  world = await setupWorld({ workers: 1, figures: { permissionTimeoutMs: 90_000 } });
}, 120_000);
afterAll(() => world?.stop(), 60_000);

const LONG = { timeout: 150_000 };
const PATIENT = { deadlineMs: 60_000 };

async function ask(visit: Visit, words: string): Promise<void> {
  await visit.say(words);
  await visit.customer.waitForText(words, PATIENT);
}

/** Every worker there is now is replaced by a new one. */
async function replaceWorkers(end: 'drain' | 'killAll'): Promise<void> {
  const old = world.workers.filter(({ alive }) => alive);
  for (const worker of old) {
    await world.startWorker();
    await worker[end]();
  }
}

test(
  'a restart under load: sentences are finished, nothing is lost, and nobody has to apologise',
  LONG,
  async () => {
    const visits = await Promise.all([world.visit(), world.visit(), world.visit()]);
    const slowly = `slowly ${'and one more word '.repeat(5)}`.trim();
    await Promise.all(visits.map((visit) => ask(visit, 'before')));
    await Promise.all(visits.map((visit) => visit.say(slowly)));
    // In mid-sentence.
    for (const { customer } of visits) {
      await customer.waitFor(
        () => customer.texts.some(({ text }) => text.startsWith('Heard: slowly')),
        PATIENT,
      );
    }
    await replaceWorkers('drain');
    await Promise.all(visits.map((visit) => ask(visit, 'after')));
    for (const visit of visits) {
      const said = visit.customer.texts.filter(({ text }) => text.includes('slowly'));
      expect(said.map(({ final, text }) => [final, text])).toEqual([[true, `Heard: ${slowly}`]]);
      expect((await world.carrier(visit)).generation).toBeGreaterThan(1);
      await world.close(visit);
      expect(await audit(world, visit, 0)).toEqual([]);
    }
  },
);

test(
  'a decision that falls while no worker lives takes effect when one returns, within its deadline',
  LONG,
  async () => {
    const visit = await world.visit();
    await visit.say('refund dark');
    const deadline = () => world.stack.database.sql`
    select expires_at from tool_permissions where interaction_id = ${visit.id}`;
    const [before] = await waitUntil(async () => {
      const rows = await deadline();
      return rows.length > 0 ? rows : undefined;
    });
    for (const worker of world.workers) if (worker.alive) await worker.killAll();
    await world.decide(visit, 'dark', 'allowed');
    expect(world.recorder.calls.filter(({ body }) => body.order === 'dark')).toEqual([]);
    await world.startWorker();
    await visit.customer.waitForText('Result of refund dark: {', PATIENT);
    expect(await deadline()).toEqual([before]);
    await world.close(visit);
    expect(await audit(world, visit, 1)).toEqual([]);
  },
);

test(
  'a conversation whose worker and whose customer are gone is wrapped up from its transcript',
  LONG,
  async () => {
    const visit = await world.visit();
    await ask(visit, 'a last question');
    for (const worker of world.workers) if (worker.alive) await worker.killAll();
    await visit.customer.leave();
    await world.startWorker();
    await world.close(visit);
    expect(await audit(world, visit, 1)).toEqual([]);
    const [archive] = await world.stack.database
      .sql`select facts from interaction_archives where interaction_id = ${visit.id}`;
    expect(archive?.facts).toMatchObject({ end_reason: 'customer_left', messages: { customer: 1 } });
  },
);
