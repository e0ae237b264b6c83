import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { recordMetrics } from '../../src/database/records.ts';
import { applyRetention } from '../../src/database/retention.ts';
import { setupDatabase, type TestDatabase } from '../support/database.ts';
import type { Agent } from '../support/fixtures.ts';
import { gatedCall, pastInteraction, startInteraction } from './floor.ts';

let db: TestDatabase;
beforeAll(async () => {
  db = await setupDatabase();
});
afterAll(() => db?.stop());

const daysAgo = (days: number) => new Date(Date.now() - days * 86_400_000);

async function agentWith(retention: Record<string, number> = {}): Promise<Agent> {
  const business = await db.createBusiness();
  await db.sql`update businesses set retention = ${db.sql.json(retention)} where id = ${business.id}`;
  return db.createAgent({ businessId: business.id });
}

async function purged(id: string): Promise<boolean> {
  const [row] = await db.sql`
    select i.purged_at is not null as purged, exists (select from interaction_archives a where a.interaction_id = i.id) as archived
    from interactions i where id = ${id}`;
  expect(row?.archived).toBe(!row?.purged);
  return row?.purged;
}

async function applyAll(): Promise<number> {
  for (let total = 0; ; ) {
    const { interactions, more } = await applyRetention(db.service, { limit: 5 });
    total += interactions;
    if (!more) return total;
  }
}

describe('retention', () => {
  it('keeps interactions 90 days, rehearsals two years, failed rehearsals one', async () => {
    const agent = await agentWith();
    const past = (days: number, given: { kind?: 'rehearsal'; status?: 'failed' } = {}) =>
      pastInteraction(db, agent, { startedAt: daysAgo(days), ...given });
    const cases: [string, boolean][] = [
      [await past(89), false],
      [await past(91), true],
      [await past(729, { kind: 'rehearsal' }), false],
      [await past(731, { kind: 'rehearsal' }), true],
      [await past(364, { kind: 'rehearsal', status: 'failed' }), false],
      [await past(366, { kind: 'rehearsal', status: 'failed' }), true],
    ];
    expect(await applyAll()).toBe(3);
    for (const [id, expected] of cases) expect(await purged(id)).toBe(expected);
    expect(await applyAll()).toBe(0);
  });

  it('follows the days that a business sets', async () => {
    const agent = await agentWith({ archives_days: 7 });
    const [kept, gone] = [
      await pastInteraction(db, agent, { startedAt: daysAgo(6) }),
      await pastInteraction(db, agent, { startedAt: daysAgo(8) }),
    ];
    await applyAll();
    expect([await purged(kept), await purged(gone)]).toEqual([false, true]);
  });

  it('removes what was said, called and known of the customer, keeps the bare row, and says so in the audit log', async () => {
    const agent = await agentWith();
    const mine = await startInteraction(db.service, agent, { phone_number: '+31612345678' });
    await gatedCall(db.service, mine);
    await db.sql`insert into interaction_messages (interaction_id, item_id, seq, role, content) values (${mine.id}, 'a', 1, 'customer', 'hello')`;
    await db.sql`update customers set created_at = now() - interval '100 days' where phone_number = '+31612345678'`;
    await db.service.rpc('complete_interaction', {
      p_interaction_id: mine.id,
      p_generation: 1,
      p_status: 'completed',
      p_end_reason: 'x',
    });
    await db.sql`update interactions set ended_at = now() - interval '91 days' where id = ${mine.id}`;
    expect(await applyAll()).toBe(1);
    const [row] =
      await db.sql`select phone_number, customer_id, agent_snapshot, status from interactions where id = ${mine.id}`;
    expect(row).toEqual({ phone_number: null, customer_id: null, agent_snapshot: null, status: 'completed' });
    for (const table of ['interaction_messages', 'tool_calls', 'tool_permissions', 'interaction_archives']) {
      const [left] =
        await db.sql`select count(*)::int as n from ${db.sql(table)} where interaction_id = ${mine.id}`;
      expect(left, table).toEqual({ n: 0 });
    }
    const customers = await db.sql`select id from customers where phone_number = '+31612345678'`;
    expect([...customers]).toEqual([]);
    const [event] =
      await db.sql`select action, details from audit_events where business_id = ${agent.businessId} and action = 'retention.deleted'`;
    expect(event).toEqual({ action: 'retention.deleted', details: { interactions: 1 } });
  });

  it('leaves open interactions alone, however old', async () => {
    const agent = await agentWith();
    const mine = await startInteraction(db.service, agent);
    await db.sql`update interactions set started_at = now() - interval '400 days', queued_at = now() - interval '400 days' where id = ${mine.id}`;
    await applyAll();
    const [row] = await db.sql`select purged_at, status from interactions where id = ${mine.id}`;
    expect(row).toEqual({ purged_at: null, status: 'active' });
  });

  it('removes metrics after 24 hours in any case', async () => {
    const mine = await startInteraction(db.service, await agentWith());
    const row = (minutes: number) => ({
      interaction_id: mine.id,
      generation: 1,
      timestamp: new Date(Date.now() - minutes * 60_000).toISOString(),
      sentiment: 'good' as const,
      satisfaction_score: 50,
      feed_text: 'x',
    });
    await recordMetrics(db.service, [row(1), row(2)]);
    await db.sql`update realtime_metrics set created_at = now() - interval '25 hours' where interaction_id = ${mine.id} and "timestamp" < now() - interval '90 seconds'`;
    const { data } = await db.service.rpc('cleanup_realtime_metrics');
    expect(data).toBe(1);
    const [left] =
      await db.sql`select count(*)::int as n from realtime_metrics where interaction_id = ${mine.id}`;
    expect(left).toEqual({ n: 1 });
  });

  it('has the function of the schema document for archives alone', async () => {
    const id = await pastInteraction(db, await agentWith(), { startedAt: daysAgo(1) });
    await db.sql`update interaction_archives set created_at = now() - interval '40 days' where interaction_id = ${id}`;
    expect((await db.service.rpc('cleanup_old_archives')).data).toBe(0);
    expect((await db.service.rpc('cleanup_old_archives', { retention_days: 30 })).data).toBe(1);
    expect((await db.service.rpc('cleanup_old_archives', { retention_days: -1 })).error?.message).toBe(
      'invalid_retention',
    );
  });
});
