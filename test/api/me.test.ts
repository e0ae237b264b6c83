import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Business, Person } from '../support/fixtures.ts';
import { type Floor, forEachTry, setupFloor } from './support.ts';

let floor: Floor;
let business: Business;
let supervisor: Person;
let cover: Person;
beforeAll(async () => {
  floor = await setupFloor();
});
forEachTry(async () => {
  const { database } = floor;
  business = await database.createBusiness({ name: 'Harbour Goods', timeZone: 'Europe/Amsterdam' });
  supervisor = await database.createUser({ businessId: business.id, name: 'Sam' });
  cover = await database.createUser({ businessId: business.id, name: 'Kim' });
});
afterAll(() => floor?.stop());

describe('who is signed in', () => {
  it('is told with their business and the agents they supervise or cover', async () => {
    const { database, api } = floor;
    const own = await database.createAgent({
      businessId: business.id,
      supervisorId: supervisor.id,
      coverId: cover.id,
      name: 'Anna',
    });
    const gone = await database.createAgent({ businessId: business.id, supervisorId: supervisor.id });
    await database.sql`update agents set deleted_at = now() where id = ${gone.id}`;

    const me = await api.call('/v1/me', { token: supervisor.accessToken });
    expect(me.body).toEqual({
      id: supervisor.id,
      name: 'Sam',
      username: expect.any(String),
      email: supervisor.email,
      role: 'supervisor',
      supervisor_type: 'chat',
      business: {
        id: business.id,
        name: 'Harbour Goods',
        slug: business.slug,
        time_zone: 'Europe/Amsterdam',
      },
      agents: [{ id: own.id, name: 'Anna', covering: false }],
    });
    const covering = await api.call('/v1/me', { token: cover.accessToken });
    expect(covering.body.agents).toEqual([{ id: own.id, name: 'Anna', covering: true }]);
  });

  it('as an admin has no agents of one’s own', async () => {
    const admin = await floor.database.createUser({ businessId: business.id, role: 'admin' });
    const { body } = await floor.api.call('/v1/me', { token: admin.accessToken });
    expect(body).toMatchObject({ role: 'admin', username: null, supervisor_type: null, agents: [] });
  });

  it('is nobody without a token', async () => {
    expect((await floor.api.call('/v1/me')).body.code).toBe('unauthenticated');
  });
});

describe('the public agents', () => {
  it('are those of one business that take conversations from the public, and nothing else of them', async () => {
    const { database, api } = floor;
    const shop = await database.createBusiness({ name: 'Paper & Pen' });
    const open = await database.createAgent({ businessId: shop.id, name: 'Open' });
    await database.createAgent({ businessId: shop.id, name: 'Closed', isPublic: false });
    const { status, body } = await api.call(`/v1/public/agents?business=${shop.slug}`, { key: true });
    expect([status, body.data]).toEqual([
      200,
      [
        {
          id: open.id,
          name: 'Open',
          agent_type: 'chat',
          language: 'en',
          business_name: 'Paper & Pen',
          business_slug: shop.slug,
        },
      ],
    ]);
  });

  it('of several businesses are not told to somebody who knows none of them', async () => {
    const { database, api } = floor;
    for (const name of ['One', 'Two']) {
      const { id } = await database.createBusiness({ name });
      await database.createAgent({ businessId: id });
    }
    const { status, body } = await api.call('/v1/public/agents', { key: true });
    expect([status, body.code]).toEqual([400, 'invalid_request']);
    expect(JSON.stringify(body)).not.toContain('Two');
    const unknown = await api.call('/v1/public/agents?business=no-such-shop', { key: true });
    expect(unknown.body.code).toBe('business_not_found');
  });

  it('need the publishable key', async () => {
    expect((await floor.api.call('/v1/public/agents')).body.code).toBe('api_key_invalid');
  });
});
