import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { setupDatabase, type TestDatabase } from '../support/database.ts';
import type { Agent } from '../support/fixtures.ts';
import { pastInteraction, setIssueTags } from './floor.ts';

let db: TestDatabase;
let agent: Agent;
let nextNumber = 0;
beforeAll(async () => {
  db = await setupDatabase();
  agent = await db.createAgent({ businessId: (await db.createBusiness()).id });
});
afterAll(() => db?.stop());

const newPhone = () => `+3161${String(1_000_000 + nextNumber++)}`;
const daysAgo = (days: number) => new Date(Date.now() - days * 86_400_000);

async function contact(
  phone: string,
  days: number,
  issueTags: string[],
  given: { kind?: 'rehearsal'; agent?: Agent; status?: 'failed' } = {},
) {
  const { agent: other, ...rest } = given;
  return pastInteraction(db, other ?? agent, { startedAt: daysAgo(days), phone, issueTags, ...rest });
}

async function resolved(id: string): Promise<boolean | undefined> {
  const [row] = await db.sql`select fcr_status from interaction_archives where interaction_id = ${id}`;
  return row?.fcr_status;
}

describe('first contact resolution', () => {
  it('is lost when the customer comes back within three days with the same issue', async () => {
    const phone = newPhone();
    const first = await contact(phone, 5, ['refund', 'login']);
    expect(await resolved(first)).toBe(true);
    const second = await contact(phone, 2.5, ['delivery', 'refund']);
    expect([await resolved(first), await resolved(second)]).toEqual([false, true]);
  });

  it.each([
    ['after more than three days', { days: 1.9, tags: ['refund'] }],
    ['with another issue', { days: 3, tags: ['login'] }],
    ['with no issue', { days: 3, tags: [] }],
    ['in a rehearsal', { days: 3, tags: ['refund'], kind: 'rehearsal' as const }],
  ])('stays when the customer comes back %s', async (_, { days, tags, ...given }) => {
    const phone = newPhone();
    const first = await contact(phone, 5, ['refund']);
    await contact(phone, days, tags, given);
    expect(await resolved(first)).toBe(true);
  });

  it('stays when it is another customer, or another business', async () => {
    const phone = newPhone();
    const first = await contact(phone, 2, ['refund']);
    await contact(newPhone(), 1, ['refund']);
    const elsewhere = await db.createAgent({ businessId: (await db.createBusiness()).id });
    await contact(phone, 1, ['refund'], { agent: elsewhere });
    expect(await resolved(first)).toBe(true);
  });

  it('comes out the same when the archives arrive out of order', async () => {
    const phone = newPhone();
    const second = await contact(phone, 1, ['refund']);
    const first = await contact(phone, 2, ['refund']);
    expect([await resolved(first), await resolved(second)]).toEqual([false, true]);
  });

  it('follows the tags when they change', async () => {
    const phone = newPhone();
    const first = await contact(phone, 2, ['refund']);
    const second = await contact(phone, 1, ['refund']);
    expect(await resolved(first)).toBe(false);
    await setIssueTags(db, second, ['login']);
    expect(await resolved(first)).toBe(true);
    await setIssueTags(db, first, ['login']);
    expect(await resolved(first)).toBe(false);
  });

  it('marks each of several contacts but the last', async () => {
    const phone = newPhone();
    const ids = [
      await contact(phone, 6, ['refund']),
      await contact(phone, 4, ['refund']),
      await contact(phone, 2, ['refund']),
    ];
    expect(await Promise.all(ids.map(resolved))).toEqual([false, false, true]);
  });

  it('is not reached by an interaction that failed', async () => {
    expect(await resolved(await contact(newPhone(), 1, ['refund'], { status: 'failed' }))).toBe(false);
  });

  it('is the same when two archives of one customer are tagged in transactions that overlap', async () => {
    const phone = newPhone();
    const [first, second] = [await contact(phone, 2, []), await contact(phone, 1, [])];
    const tags = db.sql.json({ topics: [], issues: [{ tag: 'refund', status: 'unresolved' }] });
    let other: Promise<unknown> | undefined;
    await db.sql.begin(async (transaction) => {
      await transaction`update interaction_archives set tags = ${tags} where interaction_id = ${first}`;
      // Must wait for this transaction: it could not see its tags, nor the other way round.
      other = Promise.resolve(
        db.sql`update interaction_archives set tags = ${tags} where interaction_id = ${second}`,
      );
      const waits = async () => {
        const [row] = await transaction`
          select count(*)::int as n from pg_stat_activity where datname = current_database() and wait_event_type = 'Lock'`;
        return row?.n === 1;
      };
      await expect.poll(waits, { timeout: 5_000 }).toBe(true);
    });
    await other;
    expect([await resolved(first), await resolved(second)]).toEqual([false, true]);
  });
});
