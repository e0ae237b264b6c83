import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { elect, resign } from '../../src/database/elections.ts';
import { applyRetention, retentionProgress } from '../../src/database/retention.ts';
import { setupDatabase, type TestDatabase } from '../support/database.ts';
import { pastInteraction } from './floor.ts';

let db: TestDatabase;
beforeAll(async () => {
  db = await setupDatabase();
});
afterAll(() => db?.stop());

const stand = (candidate: string, leaseSeconds = 30) =>
  elect(db.service, { role: 'housekeeping', candidate, leaseSeconds });
const leaseRunsOut = () => db.sql`update floorwalker.elections set lease_until = now() - interval '1 second'`;

describe('the election', () => {
  it('has one winner among many who stand at once, who keeps the seat and its term by renewing', async () => {
    await leaseRunsOut();
    const seats = await Promise.all(Array.from({ length: 12 }, (_, index) => stand(`candidate-${index}`)));
    const winners = seats.filter(({ elected }) => elected);
    expect(winners).toHaveLength(1);
    expect(new Set(seats.map(({ holder }) => holder)).size).toBe(1);
    const [winner] = winners;
    const renewed = await stand(winner?.holder ?? '');
    expect(renewed).toMatchObject({ elected: true, term: winner?.term });
  });

  it('goes to another when the lease is over, in a new term, or at once after a resignation', async () => {
    await leaseRunsOut();
    const first = await stand('first');
    expect(await stand('second')).toMatchObject({ elected: false, holder: 'first' });
    await leaseRunsOut();
    const second = await stand('second');
    expect(second).toMatchObject({ elected: true, term: first.term + 1 });
    // Whoever was replaced can't give back what is another's.
    const late = { role: 'housekeeping', candidate: 'first', term: first.term } as const;
    expect(await resign(db.service, late)).toBe(false);
    expect(await resign(db.service, { ...late, candidate: 'second', term: second.term })).toBe(true);
    expect(await stand('third')).toMatchObject({ elected: true, term: second.term + 1 });
  });

  it('refuses retention of a term that is over, also of a process that was stopped and wakes up', async () => {
    const business = await db.createBusiness();
    const agent = await db.createAgent({ businessId: business.id });
    const old = new Date(Date.now() - 100 * 86_400_000);
    const id = await pastInteraction(db, agent, { startedAt: old });
    await leaseRunsOut();
    const stopped = await stand('stopped');
    await leaseRunsOut();
    await expect(applyRetention(db.service, { term: stopped.term })).rejects.toMatchObject({
      code: 'term_over',
    });
    const elected = await stand('elected');
    await expect(applyRetention(db.service, { term: stopped.term })).rejects.toMatchObject({
      code: 'term_over',
    });
    const [before] = await db.sql`select purged_at from interactions where id = ${id}`;
    expect(before?.purged_at).toBeNull();

    const earlier = await retentionProgress(db.service);
    expect(await applyRetention(db.service, { term: elected.term })).toMatchObject({
      interactions: 1,
      more: false,
    });
    const progress = await retentionProgress(db.service);
    expect(progress.interactions - earlier.interactions).toBe(1);
  });

  it('waits for the batch that is being done, so that two never run beside each other', async () => {
    await leaseRunsOut();
    const seat = await stand('busy', 0.3);
    const { promise: mayEnd, resolve: end } = Promise.withResolvers<void>();
    const { promise: begun, resolve: begin } = Promise.withResolvers<void>();
    const batch = db.sql.begin(async (sql) => {
      await sql`select floorwalker.require_term('housekeeping', ${seat.term})`;
      begin();
      await mayEnd;
    });
    await begun;
    let settled = false;
    const next = stand('next').then((result) => {
      settled = true;
      return result;
    });
    await db.sql`select pg_sleep(0.5)`;
    expect(settled).toBe(false);
    end();
    await batch;
    expect(await next).toMatchObject({ elected: true, holder: 'next' });
  });
});

describe('retention', () => {
  it('takes transcripts before archives where a business says so, and never more than a batch', async () => {
    const business = await db.createBusiness();
    const policy = db.sql.json({ transcripts_days: 7, archives_days: 30, metrics_hours: 'soon' });
    await db.sql`update businesses set retention = ${policy} where id = ${business.id}`;
    const agent = await db.createAgent({ businessId: business.id });
    const ids: string[] = [];
    for (let index = 0; index < 5; index += 1) {
      const id = await pastInteraction(db, agent, { startedAt: new Date(Date.now() - 10 * 86_400_000) });
      await db.sql`insert into interaction_messages (interaction_id, item_id, seq, role, content) values (${id}, 'a', 1, 'customer', 'hello')`;
      ids.push(id);
    }
    const first = await applyRetention(db.service, { limit: 3 });
    expect(first).toMatchObject({ interactions: 0, transcripts: 3, more: true });
    const second = await applyRetention(db.service, { limit: 3 });
    expect(second).toMatchObject({ transcripts: 2, more: false });
    const [left] = await db.sql`
      select (select count(*)::int from interaction_messages where interaction_id = any (${ids})) as messages,
        (select count(*)::int from interaction_archives where interaction_id = any (${ids})) as archives`;
    expect(left).toEqual({ messages: 0, archives: 5 });
  });
});
