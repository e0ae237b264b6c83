import { afterAll, beforeAll, expect, it } from 'vitest';
import type { Agent, Person } from '../support/fixtures.ts';
import { eventually, type Floor, forEachTry, setupFloor } from './support.ts';

let floor: Floor;
let agent: Agent;
let admin: Person;
let supervisor: Person;

beforeAll(async () => {
  floor = await setupFloor();
});
forEachTry(async () => {
  const { id: businessId } = await floor.database.createBusiness();
  admin = await floor.database.createUser({ businessId, role: 'admin' });
  supervisor = await floor.database.createUser({ businessId });
  agent = await floor.database.createAgent({ businessId, supervisorId: supervisor.id });
});
afterAll(() => floor?.stop());

it('deletes a customer’s data for an admin, when no conversation goes on any more, and lists the receipt', async () => {
  const phone_number = '+31612121212';
  const remove = () => floor.api.call('/v1/deletions', { body: { phone_number }, token: admin.accessToken });
  const begun = await floor.api.call('/v1/interactions', {
    body: { agent_id: agent.id, channel: 'chat', phone_number },
    key: true,
  });
  const going = await remove();
  expect(going.status).toBe(409);
  expect(going.body).toMatchObject({
    code: 'customer_in_conversation',
    interaction_ids: [begun.body.interaction_id],
  });
  const ended = await floor.api.call(`/v1/interactions/${begun.body.interaction_id}/end`, {
    body: {},
    token: supervisor.accessToken,
  });
  expect(ended.status).toBe(202);
  const deleted = await remove();
  expect(deleted.status).toBe(201);
  expect(deleted.body.counts).toMatchObject({ interactions: 1, customers: 1 });
  expect((await remove()).body.code).toBe('customer_not_found');

  const list = await floor.api.call('/v1/deletions?limit=1', { token: admin.accessToken });
  expect(list.body.data.map(({ id }) => id)).toEqual([deleted.body.id]);
  expect(JSON.stringify(list.body)).not.toContain(deleted.body.subject_nonce);
  const others = await floor.api.call('/v1/deletions', { token: supervisor.accessToken });
  expect(others.body.data).toEqual([]);
});

it('refuses supervisors, strangers and requests that name nobody or two', async () => {
  const call = (body: object, token?: string) =>
    floor.api.call('/v1/deletions', { body, ...(token ? { token } : {}) });
  expect((await call({ phone_number: '+31612121212' })).status).toBe(401);
  expect((await call({ phone_number: '+31612121212' }, supervisor.accessToken)).body.code).toBe(
    'not_allowed',
  );
  expect((await call({}, admin.accessToken)).status).toBe(400);
  const two = { phone_number: '+31612121212', customer_id: agent.id };
  expect((await call(two, admin.accessToken)).status).toBe(400);
});

it('shows on the metrics port what retention has removed', async () => {
  const { database, api } = floor;
  // Of an earlier try.
  await database.sql`delete from floorwalker.retention_progress`;
  await database.sql`
    insert into floorwalker.retention_progress (business_id, interactions, metrics)
    values (${agent.businessId}, 7, 40)`;
  const text = await eventually('the figures', async () => {
    const scraped = await (await fetch(`${api.metricsUrl}/metrics`)).text();
    return scraped.includes('floorwalker_retention_removed_total{') ? scraped : undefined;
  });
  expect(text).toContain('floorwalker_retention_removed_total{kind="interactions"} 7');
  expect(text).toContain('floorwalker_retention_removed_total{kind="metrics"} 40');
});
