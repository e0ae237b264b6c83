import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Business, Person } from '../support/fixtures.ts';
import { type Floor, forEachTry, setupFloor } from './support.ts';

let floor: Floor;
let business: Business;
let admin: Person;
let supervisor: Person;
let strangeAdmin: Person;
beforeAll(async () => {
  floor = await setupFloor();
});
forEachTry(async () => {
  const { database } = floor;
  business = await database.createBusiness({ name: 'Harbour Goods', allowedOrigins: ['https://a.example'] });
  const other = await database.createBusiness();
  [admin, supervisor, strangeAdmin] = await Promise.all([
    database.createUser({ businessId: business.id, role: 'admin', name: 'Ada' }),
    database.createUser({ businessId: business.id }),
    database.createUser({ businessId: other.id, role: 'admin' }),
  ]);
});
afterAll(() => floor?.stop());

const patch = (change: unknown, as = admin) =>
  floor.api.call('/v1/business', { method: 'PATCH', token: as.accessToken, body: change });
const read = (as: Person) => floor.api.call('/v1/business', { token: as.accessToken });
const audit = (query: Record<string, string>, as = admin) =>
  floor.api.call(`/v1/audit?${new URLSearchParams(query)}`, { token: as.accessToken });

describe('the settings of a business', () => {
  it('are read by everybody of it, and are the own ones alone', async () => {
    expect((await read(supervisor)).body).toMatchObject({ id: business.id, name: 'Harbour Goods' });
    expect((await read(strangeAdmin)).body.id).not.toBe(business.id);
  });

  it('are changed where they are named, and the change is written down', async () => {
    const wanted = {
      time_zone: 'Europe/Amsterdam',
      allowed_origins: ['https://shop.example', 'http://localhost:5173'],
      retention: { archives_days: 30, transcripts_days: 7, metrics_hours: 2 },
      tag_vocabulary: { topics: ['orders'], issues: ['late_delivery'] },
    };
    const { status, body } = await patch(wanted);
    expect([status, body]).toMatchObject([200, { name: 'Harbour Goods', ...wanted }]);
    const { body: log } = await audit({ action: 'business.changed' });
    expect(log.data[0]).toMatchObject({
      actor_id: admin.id,
      actor_name: 'Ada',
      details: { time_zone: { from: 'UTC', to: 'Europe/Amsterdam' } },
    });
    expect((await patch({ retention: {} })).body.retention).toEqual({});
  });

  it.each([
    [{ time_zone: 'Mars/Olympus' }, 'invalid_time_zone'],
    [{ allowed_origins: ['https://shop.example/path'] }, 'invalid_origin'],
    [{ allowed_origins: ['https://*.example'] }, 'invalid_origin'],
    [{ allowed_origins: ['javascript:alert(1)'] }, 'invalid_origin'],
    [{ allowed_origins: ["https://a.example; script-src 'unsafe-inline'"] }, 'invalid_origin'],
    [{ retention: { archives_days: 0 } }, 'invalid_retention'],
    [{ retention: { archives_days: 4_000 } }, 'invalid_retention'],
    [{ retention: { archives_days: 1.5 } }, 'invalid_retention'],
    [{ retention: { metrics_hours: 25 } }, 'invalid_retention'],
    [{ retention: { recordings_days: 5 } }, 'invalid_request'],
    [{ tag_vocabulary: { topics: ['Not A Tag'], issues: [] } }, 'invalid_vocabulary'],
    [{ tag_vocabulary: { topics: ['twice', 'twice'], issues: [] } }, 'invalid_vocabulary'],
    [{ name: ' ' }, 'invalid_request'],
    [{ slug: 'other' }, 'invalid_request'],
  ])('are refused for %j as %s', async (change, code) => {
    const before = (await read(admin)).body;
    const { status, body } = await patch(change);
    expect([status, body.code]).toEqual([400, code]);
    expect((await read(admin)).body).toEqual(before);
  });

  it('are refused by the database too, which nothing has checked before', async () => {
    const refusal = async (change: object) =>
      (await admin.client.rpc('change_business', { p_change: change })).error?.message;
    expect(await refusal({ retention: { recordings_days: 5 } })).toBe('invalid_retention');
    expect(await refusal({ retention: { archives_days: '5' } })).toBe('invalid_retention');
    expect(await refusal({ tag_vocabulary: { topics: 'x', issues: [] } })).toBe('invalid_vocabulary');
    expect(await refusal({ tag_vocabulary: { topics: [1], issues: [] } })).toBe('invalid_vocabulary');
    expect(await refusal({ allowed_origins: ['https://a.example\n'] })).toBe('invalid_origin');
  });

  it('are not overwritten by somebody who read them before another changed them', async () => {
    const { updated_at } = (await read(admin)).body;
    await patch({ name: 'Harbour & Goods' });
    const late = await patch({ name: 'Late', expected_updated_at: updated_at });
    expect([late.status, late.body.code]).toEqual([409, 'version_conflict']);
    const fresh = (await read(admin)).body.updated_at;
    expect((await patch({ name: 'Harbour Goods', expected_updated_at: fresh })).status).toBe(200);
  });

  it('are for admins to change, of their own business alone', async () => {
    expect((await patch({ name: 'x' }, supervisor)).body.code).toBe('not_allowed');
    const direct = await supervisor.client.rpc('change_business', { p_change: { name: 'x' } });
    expect(direct.error?.message).toBe('not_allowed');
    await patch({ name: 'Theirs' }, strangeAdmin);
    expect((await read(admin)).body.name).toBe('Harbour Goods');
    expect((await floor.api.call('/v1/business')).status).toBe(401);
  });
});

describe('the audit log', () => {
  it('is found by who, what, on what and when, a page at a time', async () => {
    const { sql } = floor.database;
    await sql`
      insert into audit_events (business_id, actor_id, actor_kind, action, subject_type, subject_id, created_at)
      select ${business.id}, case when n % 2 = 0 then ${admin.id}::uuid else ${supervisor.id}::uuid end, 'user',
        case when n < 3 then 'test.rare' else 'test.frequent' end, 'things', (n % 3)::text,
        '2020-01-01T00:00:00Z'::timestamptz + n * interval '1 hour'
      from generate_series(0, 9) n`;
    const old = { to: '2020-02-01T00:00:00Z' };
    const ids = async (query: Record<string, string>) => {
      const seen: number[] = [];
      let cursor = '';
      for (;;) {
        const { body } = await audit({ ...query, ...old, limit: '2', ...(cursor === '' ? {} : { cursor }) });
        seen.push(...body.data.map(({ created_at }) => Number(String(created_at).slice(11, 13))));
        if (body.next_cursor === null) return seen;
        cursor = body.next_cursor;
      }
    };
    expect(await ids({})).toEqual([9, 8, 7, 6, 5, 4, 3, 2, 1, 0]);
    expect(await ids({ actor: admin.id })).toEqual([8, 6, 4, 2, 0]);
    expect(await ids({ action: 'test.rare' })).toEqual([2, 1, 0]);
    expect(await ids({ action: 'test.rare,test.frequent', actor: supervisor.id })).toEqual([9, 7, 5, 3, 1]);
    expect(await ids({ subject: '1' })).toEqual([7, 4, 1]);
    expect(await ids({ from: '2020-01-01T08:00:00Z' })).toEqual([9, 8]);
  });

  it('is for admins, of their own business alone', async () => {
    expect((await audit({}, supervisor)).body.code).toBe('not_allowed');
    expect((await audit({ actor: admin.id }, strangeAdmin)).body.data).toEqual([]);
    expect((await audit({ action: 'nonsense' })).body.code).toBe('invalid_request');
  });
});
