import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';
import { CustomerCare } from '../../tools/customers/care.ts';
import { createCustomersServer } from '../../tools/customers/server.ts';
import { setupDatabase, type TestDatabase } from '../support/database.ts';
import { connectTo, rpcAs } from './shipped-server.ts';

const PHONE = '+351912345678';
const OTHER_PHONE = '+351987654321';

vi.setConfig({ testTimeout: 60_000 });
let database: TestDatabase;
beforeAll(async () => {
  database = await setupDatabase();
});
afterAll(() => database.stop());

/** A business with one customer of whom something is known, and its servers, each with the rights of its own role. */
async function setup() {
  const business = await database.createBusiness();
  const { sql } = database;
  await sql`
    with c as (insert into customers (business_id, phone_number, name) values (${business.id}, ${PHONE}, 'Ada Alves') returning id)
    insert into crm_profiles (customer_id, business_id, company, tier, yearly_revenue, renewal_date, manager)
    select id, ${business.id}, 'Alves & Filhos', 'mid-market', 12000.50, current_date + 30, 'Rui' from c`;
  const serve = (role: string, staff: boolean) =>
    connectTo(
      createCustomersServer(new CustomerCare(rpcAs(database, role, business.id)), business.id, { staff }),
    );
  const { call, tools } = await serve('floorwalker_customers', false);
  const as =
    (customer_phone: string) =>
    (name: string, args: object = {}, key?: string) =>
      call(name, { customer_phone, ...args }, key);
  return { business, tools, as, mine: as(PHONE), staff: () => serve('floorwalker_customers_staff', true) };
}

describe('the customers server', () => {
  test('says of each tool what it does, and looks across customers for staff only', async () => {
    const { tools, staff } = await setup();
    const described = (list: typeof tools) =>
      list.map(({ name, annotations: a, outputSchema }) => [
        name,
        a?.readOnlyHint,
        a?.destructiveHint,
        outputSchema !== undefined,
      ]);
    const own = [
      ['find_customer', true, undefined, true],
      ['list_notes', true, undefined, true],
      ['add_note', false, false, true],
      ['customer_health', true, undefined, true],
      ['report_signal', false, false, true],
    ];
    expect(described(tools)).toEqual(own);
    expect(described((await staff()).tools)).toEqual([
      ...own,
      ['search_customers', true, undefined, true],
      ['customers_at_risk', true, undefined, true],
      ['record_health', false, false, true],
      ['resolve_signal', false, true, true],
    ]);
  });

  test('looks up the customer who calls, and says what to do where nobody is known', async () => {
    const { mine, as } = await setup();
    expect((await mine('find_customer')).data.customer).toMatchObject({
      name: 'Ada Alves',
      company: 'Alves & Filhos',
      tier: 'mid-market',
      yearly_revenue: 12000.5,
      standing: null,
      notes: 0,
    });
    const nobody = await as(OTHER_PHONE)('find_customer');
    expect(nobody).toMatchObject({ failed: true, text: expect.stringContaining('add_note keeps it') });
  });

  test('keeps notes, each once a key, and shows them to no other customer', async () => {
    const { mine, as } = await setup();
    const key = randomUUID();
    const note = { note: 'Prefers to be called in the morning.' };
    const [first, second] = await Promise.all([mine('add_note', note, key), mine('add_note', note, key)]);
    expect(first.data.noted_at).toBe(second.data.noted_at);
    expect(await mine('add_note', { note: 'Something else.' }, key)).toMatchObject({
      failed: true,
      text: expect.stringContaining('other words'),
    });
    await mine('add_note', { note: 'Moved to Porto.' });
    const { notes } = (await mine('list_notes')).data;
    expect(notes.map(({ body }: { body: string }) => body)).toEqual(['Moved to Porto.', note.note]);
    expect(notes[0].author).toBe('agent');
    const stranger = as(OTHER_PHONE);
    expect((await stranger('list_notes')).data.notes).toEqual([]);
    await stranger('add_note', { note: 'A first call.' });
    expect((await stranger('find_customer')).data.customer).toMatchObject({ name: null, notes: 1 });
    expect((await mine('add_note', { note: ' ' })).failed).toBe(true);
  });

  test('tells how a customer stands: the score, its change, and what puts them at risk', async () => {
    const { mine, staff } = await setup();
    const { call } = await staff();
    expect((await mine('customer_health')).data).toEqual({
      standing: null,
      score: null,
      change: null,
      open_signals: [],
    });
    await call('record_health', { customer_phone: PHONE, overall: 70, product: 90 });
    await call('record_health', { customer_phone: PHONE, overall: 82 });
    expect((await mine('customer_health')).data).toMatchObject({
      standing: 'healthy',
      score: { overall: 82, product: null },
      change: 12,
    });
    const signal = {
      signal: 'competitor_threat',
      severity: 'high',
      description: 'Has an offer of another shop.',
    };
    const key = randomUUID();
    await mine('report_signal', signal, key);
    const { open_signals } = (await mine('report_signal', signal, key)).data;
    expect(open_signals).toHaveLength(1);
    expect((await mine('customer_health')).data).toMatchObject({
      standing: 'at_risk',
      open_signals: [signal],
    });
    const atRisk = (await call('customers_at_risk')).data.customers;
    expect(atRisk).toMatchObject([{ phone_number: PHONE, overall: 82, signals: [signal] }]);
    expect((await call('resolve_signal', { signal_id: open_signals[0].id })).failed).toBe(false);
    expect((await call('resolve_signal', { signal_id: randomUUID() })).failed).toBe(true);
    expect((await call('customers_at_risk')).data.customers).toEqual([]);
  });

  test('finds customers for staff by name, company or number, and those whose contract ends soon', async () => {
    const { as, staff } = await setup();
    await as(OTHER_PHONE)('add_note', { note: 'A first call.' });
    const { call } = await staff();
    for (const query of ['ada', 'FILHOS', '91234'])
      expect((await call('search_customers', { query })).data.customers, query).toMatchObject([
        { phone_number: PHONE },
      ]);
    expect((await call('search_customers', { query: '%%' })).data.customers).toEqual([]);
    const renewing = async (days: number) =>
      (await call('customers_at_risk', { renewing_within_days: days })).data.customers.length;
    expect([await renewing(10), await renewing(60)]).toEqual([0, 1]);
  });
});

test('the database lets each role do its own, for its own business, and forgets a deleted customer', async () => {
  const { business, mine } = await setup();
  const other = await database.createBusiness();
  const args = { p_business_id: business.id, p_phone: PHONE };
  await mine('add_note', { note: 'Prefers the morning.' });
  for (const [role, businessId, name, more] of [
    ['floorwalker_customers', other.id, 'crm_find', {}],
    ['floorwalker_customers_staff', other.id, 'crm_find', {}],
    ['floorwalker_appointments', business.id, 'crm_find', {}],
    ['floorwalker_customers', business.id, 'crm_record_health', { p_scores: { overall: 1 } }],
  ] as const)
    await expect(rpcAs(database, role, businessId)(name, { ...args, ...more }), role).rejects.toThrow(
      'no right',
    );
  const [admin, supervisor] = await Promise.all([
    database.createUser({ businessId: business.id, role: 'admin' }),
    database.createUser({ businessId: business.id }),
  ]);
  for (const [client, seen] of [
    [admin.client, 1],
    [supervisor.client, 0],
    [database.anonymous, 0],
  ] as const) {
    for (const table of ['crm_profiles', 'crm_notes'])
      expect((await client.from(table).select('*')).data?.length ?? 0, table).toBe(seen);
    expect((await client.from('crm_notes').delete().eq('business_id', business.id)).error).not.toBeNull();
    expect((await client.rpc('crm_find', args)).error).not.toBeNull();
  }
  const { data } = await database.service.rpc('delete_customer_as_operator', {
    p_subject: { business_id: business.id, phone_number: PHONE },
  });
  expect(data.counts).toMatchObject({ customers: 1, crm_notes: 1 });
  expect((await mine('find_customer')).failed).toBe(true);
});
