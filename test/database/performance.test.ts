import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import {
  calculatePerformanceScore,
  leaderboard,
  type Period,
  performance,
} from '../../src/database/performance.ts';
import { setupDatabase, type TestDatabase } from '../support/database.ts';
import type { Agent, Business, Person } from '../support/fixtures.ts';
import { pastInteraction } from './floor.ts';

let db: TestDatabase;
beforeAll(async () => {
  db = await setupDatabase();
});
afterAll(() => db?.stop());

interface Member extends Person {
  readonly agent: Agent;
}

async function member(business: Business, supervisorType: 'voice' | 'chat' = 'chat'): Promise<Member> {
  const person = await db.createUser({ businessId: business.id, supervisorType });
  const agent = await db.createAgent({
    businessId: business.id,
    supervisorId: person.id,
    agentType: supervisorType,
  });
  return { ...person, agent };
}

const score = (supervisorId: string, period: Period = 'month') =>
  calculatePerformanceScore(db.service, { supervisorId, period });
const now = () => new Date();

/** `calls` finished just now: [CSAT, seconds] each. */
async function work(person: Member, calls: readonly [number | null, number][]): Promise<void> {
  for (const [csat, seconds] of calls)
    await pastInteraction(db, person.agent, { startedAt: now(), csat, seconds });
}

describe('the performance score', () => {
  it('of someone alone without a call is 0', async () => {
    expect(await score((await member(await db.createBusiness())).id)).toBe(0);
  });

  it('of someone alone is half the mean satisfaction: with nobody to compare with, the other parts are 0', async () => {
    const only = await member(await db.createBusiness());
    await work(only, [
      [80, 60],
      [60, 120],
    ]);
    // 0.5 × 70 + 0.3 × 0 + 0.2 × 0
    expect(await score(only.id)).toBe(35);
  });

  it('of three compares calls and handle time within the cohort, zero-callers included', async () => {
    const business = await db.createBusiness();
    const [busy, fast, absent] = [await member(business), await member(business), await member(business)];
    await work(busy, [
      [90, 300],
      [70, 300],
      [80, 300],
      [80, 300],
    ]);
    await work(fast, [[60, 100]]);
    // busy: CSAT 80, 4 calls of 0…4 → 1, 300 s of 100…300 → 0: 0.5 × 80 + 30 + 0 = 70
    expect(await score(busy.id)).toBe(70);
    // fast: CSAT 60, 1 call of 0…4 → 0.25, 100 s → 1: 0.5 × 60 + 7.5 + 20 = 57.5
    expect(await score(fast.id)).toBe(57.5);
    // absent: no CSAT, 0 calls → 0, no handle time → 0
    expect(await score(absent.id)).toBe(0);
  });

  it('of equals gives nothing for calls and handle time', async () => {
    const business = await db.createBusiness();
    const [one, two] = [await member(business), await member(business)];
    for (const person of [one, two]) await work(person, [[100, 60]]);
    expect(await score(one.id)).toBe(50);
    expect(await score(two.id)).toBe(50);
  });

  it('leaves calls without a satisfaction out of the mean, but counts them', async () => {
    const business = await db.createBusiness();
    const [one, two] = [await member(business), await member(business)];
    await work(one, [
      [90, 60],
      [null, 60],
    ]);
    await work(two, [[90, 60]]);
    // one: 45 + 0.3 × (2−1)/(2−1) + 0 (equal handle times)
    expect(await score(one.id)).toBe(75);
  });

  it('does not mix businesses or channels', async () => {
    const [here, there] = [await db.createBusiness(), await db.createBusiness()];
    const [mine, voice, foreign] = [await member(here), await member(here, 'voice'), await member(there)];
    await work(mine, [[50, 60]]);
    await work(voice, [
      [100, 10],
      [100, 10],
      [100, 10],
    ]);
    await work(foreign, [
      [100, 10],
      [100, 10],
      [100, 10],
    ]);
    expect(await score(mine.id)).toBe(25);
  });

  it('counts completed live interactions only', async () => {
    const only = await member(await db.createBusiness());
    await work(only, [[80, 60]]);
    await pastInteraction(db, only.agent, { startedAt: now(), csat: 0, kind: 'rehearsal' });
    await pastInteraction(db, only.agent, { startedAt: now(), csat: 0, status: 'failed' });
    expect(await score(only.id)).toBe(40);
    const { data } = await db.service
      .from('agent_performance')
      .select('*')
      .eq('agent_id', only.agent.id)
      .single();
    expect(data).toMatchObject({ total_interactions: 1, fcr_percentage: 100 });
    const { data: person } = await db.service
      .from('supervisor_performance')
      .select('*')
      .eq('supervisor_id', only.id)
      .single();
    expect(person).toMatchObject({ total_agents: 1, total_interactions: 2, active_interactions: 0 });
  });

  it.each(['Pacific/Kiritimati', 'Pacific/Pago_Pago', 'UTC'])(
    'begins today at midnight of the business in %s',
    async (timeZone) => {
      const only = await member(await db.createBusiness({ timeZone }));
      const [midnight] = await db.sql<{ at: Date }[]>`
      select date_trunc('day', now() at time zone ${timeZone}) at time zone ${timeZone} as at`;
      if (!midnight) throw new Error('no midnight');
      await pastInteraction(db, only.agent, { startedAt: new Date(midnight.at.getTime() - 1000), csat: 100 });
      expect(await score(only.id, 'today')).toBe(0);
      await pastInteraction(db, only.agent, { startedAt: midnight.at, csat: 60 });
      expect(await score(only.id, 'today')).toBe(30);
    },
  );

  it('leaves out what was before this month', async () => {
    const only = await member(await db.createBusiness());
    const [first] = await db.sql<
      { at: Date }[]
    >`select date_trunc('month', now() at time zone 'UTC') at time zone 'UTC' as at`;
    if (!first) throw new Error('no month');
    await pastInteraction(db, only.agent, { startedAt: new Date(first.at.getTime() - 1000), csat: 100 });
    await pastInteraction(db, only.agent, { startedAt: first.at, csat: 40 });
    expect(await score(only.id)).toBe(20);
  });

  it.each(['week', '', 'Month'])('of the unknown period "%s" is an error', async (period) => {
    const only = await member(await db.createBusiness());
    await expect(score(only.id, period as Period)).rejects.toMatchObject({ code: 'unknown_period' });
    await expect(leaderboard(only.client, { period: period as Period })).rejects.toMatchObject({
      code: 'unknown_period',
    });
  });

  it('of nobody is an error', async () => {
    const attempt = score('00000000-0000-4000-8000-000000000000');
    await expect(attempt).rejects.toMatchObject({ code: 'user_not_found' });
  });
});

describe('the leaderboard', () => {
  it('ranks the own type, and shows names and scores only', async () => {
    const business = await db.createBusiness();
    const [best, second, voice] = [
      await member(business),
      await member(business),
      await member(business, 'voice'),
    ];
    const admin = await db.createUser({ businessId: business.id, role: 'admin' });
    await work(best, [
      [100, 60],
      [100, 60],
    ]);
    await work(second, [[50, 60]]);
    const seen = await leaderboard(second.client, { period: 'today' });
    expect(seen).toEqual([
      {
        rank: 1,
        username: expect.any(String),
        name: best.name,
        supervisor_type: 'chat',
        score: 80,
        is_me: false,
      },
      {
        rank: 2,
        username: expect.any(String),
        name: second.name,
        supervisor_type: 'chat',
        score: 25,
        is_me: true,
      },
    ]);
    const all = await leaderboard(admin.client, { period: 'today' });
    expect(all.map(({ name }) => name).sort()).toEqual([best.name, second.name, voice.name].sort());
  });

  it('stands beside own figures for a supervisor, and everybody’s for an admin', async () => {
    const business = await db.createBusiness();
    const [one, two] = [await member(business), await member(business)];
    const admin = await db.createUser({ businessId: business.id, role: 'admin' });
    await work(one, [[90, 30]]);
    expect(await performance(one.client, { period: 'month' })).toMatchObject([
      { supervisor_id: one.id, total_calls: 1, avg_csat: 90, avg_handle_time: 30, fcr_percentage: 100 },
    ]);
    const all = await performance(admin.client, { period: 'month' });
    expect(all.map(({ supervisor_id }) => supervisor_id).sort()).toEqual([one.id, two.id].sort());
    expect(all.find(({ supervisor_id }) => supervisor_id === two.id)).toMatchObject({
      total_calls: 0,
      avg_csat: null,
      score: 0,
    });
  });
});
