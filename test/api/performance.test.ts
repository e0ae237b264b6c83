import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { pastInteraction } from '../database/floor.ts';
import type { Agent, Business, Person } from '../support/fixtures.ts';
import { type Floor, forEachTry, setupFloor } from './support.ts';

let floor: Floor;
let business: Business;
let admin: Person;
let sam: Person;
let kim: Person;
let stranger: Person;
let anna: Agent;
let otto: Agent;

/** Noon in the business's zone, some days ago: on the same date whatever the time of the test. */
function noon(daysAgo: number): Date {
  const today = new Intl.DateTimeFormat('en-CA', { timeZone: 'Pacific/Auckland' }).format(new Date());
  // Auckland is 12 or 13 hours ahead: midnight UTC is noon or one o'clock there.
  return new Date(Date.parse(`${today}T00:00:00Z`) - daysAgo * 86_400_000);
}

beforeAll(async () => {
  floor = await setupFloor();
});
forEachTry(async () => {
  const { database } = floor;
  business = await database.createBusiness({ timeZone: 'Pacific/Auckland' });
  const businessId = business.id;
  const other = await database.createBusiness();
  [admin, sam, kim, stranger] = await Promise.all([
    database.createUser({ businessId, role: 'admin' }),
    database.createUser({ businessId, name: 'Sam' }),
    database.createUser({ businessId, name: 'Kim' }),
    database.createUser({ businessId: other.id }),
  ]);
  anna = await database.createAgent({ businessId, supervisorId: sam.id, coverId: kim.id, name: 'Anna' });
  otto = await database.createAgent({ businessId, supervisorId: kim.id, name: 'Otto' });
  const phone = '+31612345678';
  await pastInteraction(database, anna, {
    startedAt: noon(2),
    csat: 60,
    phone,
    issueTags: ['late_delivery'],
  });
  await pastInteraction(database, anna, {
    startedAt: noon(1),
    csat: 80,
    phone,
    issueTags: ['late_delivery'],
  });
  await pastInteraction(database, otto, { startedAt: noon(1), csat: 100, seconds: 200 });
  await pastInteraction(database, otto, { startedAt: noon(1), csat: null, status: 'failed' });
  await pastInteraction(database, anna, { startedAt: noon(1), csat: 0, kind: 'rehearsal' });
});
afterAll(() => floor?.stop());

const get = (path: string, as: Person) => floor.api.call(path, { token: as.accessToken });

describe('day by day', () => {
  const days = async (as: Person, query = 'days=3') =>
    (await get(`/v1/performance/series?${query}`, as)).body.data.map(
      ({ interactions, avg_csat, fcr_percentage }) => [interactions, avg_csat, fcr_percentage],
    );

  it('an admin sees the business, with days without any', async () => {
    // Two days ago: Anna's first contact, whose customer came back. Yesterday: Anna's second, and Otto's.
    expect(await days(admin)).toEqual([
      [1, 60, 0],
      [2, 90, 100],
      [0, null, null],
    ]);
  });

  it('a supervisor sees the agents they supervise, and one agent that they cover when asked', async () => {
    expect(await days(sam)).toEqual([
      [1, 60, 0],
      [1, 80, 100],
      [0, null, null],
    ]);
    expect(await days(kim)).toEqual([
      [0, null, null],
      [1, 100, 100],
      [0, null, null],
    ]);
    expect(await days(kim, `days=2&agent_id=${anna.id}`)).toEqual([
      [1, 80, 100],
      [0, null, null],
    ]);
    expect((await get(`/v1/performance/series?agent_id=${otto.id}`, sam)).body.code).toBe('agent_not_found');
  });

  it('the days are those of the business’s time zone, today last', async () => {
    const { body } = await get('/v1/performance/series?days=400', admin);
    expect(body.code).toBe('invalid_request');
    const list = (await get('/v1/performance/series?days=60', admin)).body.data;
    const today = new Intl.DateTimeFormat('en-CA', { timeZone: 'Pacific/Auckland' }).format(new Date());
    expect([list.length, list.at(-1)?.day]).toEqual([60, today]);
    expect(new Set(list.map(({ day }) => day)).size).toBe(60);
  });

  it('another business sees nothing of it', async () => {
    expect(await days(stranger)).toEqual(Array(3).fill([0, null, null]));
    expect((await get(`/v1/performance/series?agent_id=${anna.id}`, stranger)).status).toBe(404);
  });
});

describe('by agent', () => {
  it('counts the period and shows those whom a person sees', async () => {
    const { database } = floor;
    await pastInteraction(database, otto, { startedAt: new Date(), csat: 50, seconds: 100 });
    const of = async (as: Person) =>
      (await get('/v1/performance/agents?period=today', as)).body.data.map((row) => [
        row.agent_name,
        row.total_interactions,
        row.avg_csat,
        row.avg_handle_time,
        row.fcr_percentage,
      ]);
    const none = ['Anna', 0, null, null, null];
    const some = ['Otto', 1, 50, 100, 100];
    expect(await of(admin)).toEqual([none, some]);
    expect(await of(kim)).toEqual([none, some]);
    expect(await of(sam)).toEqual([none]);
    expect(await of(stranger)).toEqual([]);
  });
});

describe('the leaderboard', () => {
  it('has everybody of the own type with the score that the report has, and says who oneself is', async () => {
    const [ranks, report] = await Promise.all([
      get('/v1/leaderboard?period=month', sam),
      get('/v1/performance?period=month', admin),
    ]);
    const scores = new Map(
      (report.body.supervisors as { name: string; score: number }[]).map(({ name, score }) => [name, score]),
    );
    expect(ranks.body.data.map(({ name, score, is_me }) => [name, score, is_me])).toEqual(
      [...scores].sort((a, b) => b[1] - a[1]).map(([name, score]) => [name, score, name === 'Sam']),
    );
    expect(ranks.body.data).toHaveLength(2);
    expect((await get('/v1/leaderboard?period=year', sam)).body.code).toBe('invalid_request');
  });

  it('of another business is another', async () => {
    expect((await get('/v1/leaderboard', stranger)).body.data.map(({ is_me }) => is_me)).toEqual([true]);
    expect((await floor.api.call('/v1/leaderboard')).status).toBe(401);
  });
});
