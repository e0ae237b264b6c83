import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';
import { Calendar } from '../../tools/appointments/calendar.ts';
import { createAppointmentsServer } from '../../tools/appointments/server.ts';
import { setupDatabase, type TestDatabase } from '../support/database.ts';
import { connectTo, rpcAs } from './shipped-server.ts';

const PHONE = '+351912345678';
const DAYS = ['mon', 'tue', 'wed', 'thu', 'fri', 'sat', 'sun'];
const MORNINGS = Object.fromEntries(DAYS.map((day) => [day, [['09:00', '12:00']]]));

vi.setConfig({ testTimeout: 60_000 });
let database: TestDatabase;
beforeAll(async () => {
  database = await setupDatabase();
});
afterAll(() => database.stop());

interface CalendarRow {
  name?: string;
  hours?: object;
  holidays?: string[];
  daysAhead?: number;
  perCustomer?: number;
}

async function addCalendar(businessId: string, given: CalendarRow = {}): Promise<void> {
  const { sql } = database;
  await sql`
    insert into appointment_calendars (business_id, name, hours, holidays, slot_minutes, lead_minutes, days_ahead, per_customer)
    values (${businessId}, ${given.name ?? 'Consultation'}, ${sql.json((given.hours ?? MORNINGS) as never)},
      ${given.holidays ?? []}, 60, 0, ${given.daysAhead ?? 60}, ${given.perCustomer ?? 5})`;
}

/** A business with a calendar, and its server, which may do what its own database role may. */
async function setup(calendar: CalendarRow = {}, timeZone = 'Europe/Lisbon') {
  const business = await database.createBusiness({ timeZone });
  await addCalendar(business.id, calendar);
  const rpc = rpcAs(database, 'floorwalker_appointments', business.id);
  const { call, tools } = await connectTo(createAppointmentsServer(new Calendar(rpc), business.id));
  const as =
    (customer_phone: string) =>
    (name: string, args: object = {}, key?: string) =>
      call(name, { customer_phone, ...args }, key);
  return { business, call, tools, as, mine: as(PHONE) };
}

/** A day so far ahead that neither the lead time nor midnight plays a part. */
function dayIn(days: number): string {
  return new Date(Date.now() + days * 86_400_000).toISOString().slice(0, 10);
}

const starts = (answer: { data: { slots?: { starts_at: string }[] } }) =>
  (answer.data.slots ?? []).map(({ starts_at }) => starts_at);

describe('the appointments server', () => {
  test('says of each tool what it does to the world', async () => {
    const { tools } = await setup();
    expect(
      tools.map(({ name, annotations: a, outputSchema }) => [
        name,
        a?.readOnlyHint,
        a?.destructiveHint,
        a?.idempotentHint,
        outputSchema !== undefined,
      ]),
    ).toEqual([
      ['find_slots', true, undefined, true, true],
      ['list_appointments', true, undefined, true, true],
      ['book_appointment', false, false, false, true],
      ['move_appointment', false, true, true, true],
      ['cancel_appointment', false, true, true, true],
    ]);
  });

  test('offers free times, books one, moves it, and cancels it', async () => {
    const { call, mine } = await setup();
    const day = dayIn(3);
    const free = () => call('find_slots', { from: day, days: 1 });
    const offered = await free();
    expect(offered.data).toMatchObject({ time_zone: 'Europe/Lisbon', minutes: 60, calendar: 'Consultation' });
    expect(starts(offered)).toEqual([`${day}T09:00`, `${day}T10:00`, `${day}T11:00`]);
    const booked = await mine('book_appointment', { starts_at: `${day}T10:00`, reason: 'a question' });
    expect(booked.data.appointment).toMatchObject({ starts_at: `${day}T10:00`, ends_at: `${day}T11:00` });
    const { reference } = booked.data.appointment;
    expect(starts(await free())).toEqual([`${day}T09:00`, `${day}T11:00`]);
    const moved = await mine('move_appointment', { reference, starts_at: `${day}T11:00` });
    expect(moved.data.appointment).toMatchObject({ reference, starts_at: `${day}T11:00` });
    expect((await mine('list_appointments')).data.appointments).toHaveLength(1);
    expect((await mine('cancel_appointment', { reference })).data.appointment.status).toBe('cancelled');
    expect((await mine('cancel_appointment', { reference })).failed).toBe(false);
    expect((await mine('list_appointments')).data.appointments).toEqual([]);
    expect(starts(await free())).toHaveLength(3);
  });

  test('gives a time to one of many who want it at once, and tells the others what is free', async () => {
    const { as } = await setup();
    const callers = ['+351911111111', '+351922222222', '+351933333333', '+351944444444'].map(as);
    const day = dayIn(4);
    const results = await Promise.all(
      callers.map((call) => call('book_appointment', { starts_at: `${day}T09:00` })),
    );
    const refused = results.filter(({ failed }) => failed);
    expect(refused).toHaveLength(3);
    for (const { text } of refused) expect(text).toContain(`Offer one of these: ${day}T10:00`);
  });

  test('does once what is asked with the same key, also at the same time and after a move', async () => {
    const { mine } = await setup();
    const wish = { starts_at: `${dayIn(4)}T09:00` };
    const key = randomUUID();
    const [first, second] = await Promise.all([
      mine('book_appointment', wish, key),
      mine('book_appointment', wish, key),
    ]);
    expect(first.data.appointment.reference).toBe(second.data.appointment.reference);
    const { reference } = first.data.appointment;
    await mine('move_appointment', { reference, starts_at: `${dayIn(4)}T11:00` });
    const late = await mine('book_appointment', wish, key);
    expect(late.data.appointment).toMatchObject({ reference, starts_at: `${dayIn(4)}T11:00` });
    const other = await mine('book_appointment', { starts_at: `${dayIn(4)}T10:00` }, key);
    expect(other).toMatchObject({ failed: true, text: expect.stringContaining('made before with other') });
    expect((await mine('list_appointments')).data.appointments).toHaveLength(1);
  });

  test("does not find another customer's appointment", async () => {
    const { mine, as } = await setup();
    const booked = await mine('book_appointment', { starts_at: `${dayIn(5)}T09:00` });
    const { reference } = booked.data.appointment;
    const theirs = as('+351900000000');
    const moved = await theirs('move_appointment', { reference, starts_at: `${dayIn(5)}T10:00` });
    const never = await theirs('cancel_appointment', { reference: reference + 50 });
    const cancelled = await theirs('cancel_appointment', { reference });
    expect([moved.failed, cancelled.failed]).toEqual([true, true]);
    expect(cancelled.text).toBe(never.text);
    expect((await theirs('list_appointments')).data.appointments).toEqual([]);
  });

  test('keeps closing times, holidays, the horizon and what one customer may have', async () => {
    const holiday = dayIn(6);
    const { mine, call } = await setup({ holidays: [holiday], daysAhead: 10, perCustomer: 1 });
    expect(starts(await call('find_slots', { from: holiday, days: 1 }))).toEqual([]);
    for (const starts_at of [
      `${holiday}T09:00`,
      `${dayIn(5)}T12:00`,
      `${dayIn(5)}T09:30`,
      `${dayIn(20)}T09:00`,
      '2020-01-06T09:00',
      '2020-02-31T09:00',
    ])
      expect((await mine('book_appointment', { starts_at })).failed, starts_at).toBe(true);
    expect((await mine('book_appointment', { starts_at: `${dayIn(5)}T09:00` })).failed).toBe(false);
    expect((await mine('book_appointment', { starts_at: `${dayIn(5)}T10:00` })).text).toContain(
      'no more are allowed',
    );
  });

  test('asks which calendar where there are several', async () => {
    const { business, call } = await setup();
    await addCalendar(business.id, { name: 'Repairs' });
    const from = dayIn(3);
    expect((await call('find_slots', { from })).text).toContain('Consultation, Repairs');
    expect((await call('find_slots', { from, calendar: 'repairs' })).data.calendar).toBe('Repairs');
  });
});

describe('when the clocks change', () => {
  /** The last Sunday of a month: when Europe's clocks change. Always less than 400 days ahead. */
  async function changeOf(month: 3 | 10): Promise<string> {
    const [found] = await database.sql<{ day: string }[]>`
      select d::date::text as day from generate_series(now() + interval '2 days', now() + interval '399 days', interval '1 day') d
      where extract(month from d) = ${month} and extract(dow from d) = 0 and extract(day from d) >= 25 limit 1`;
    if (!found) throw new Error('no such day');
    return found.day;
  }
  const NIGHT = { hours: { sun: [['01:00', '04:00']] }, daysAhead: 400, perCustomer: 100 };

  test('no hour that is skipped in spring can be had, and the one before it ends where it should', async () => {
    const { call, mine } = await setup(NIGHT, 'Europe/Berlin');
    const day = await changeOf(3);
    const offered = starts(await call('find_slots', { from: day, days: 1 }));
    expect(offered).toEqual([`${day}T01:00`, `${day}T03:00`]);
    expect((await mine('book_appointment', { starts_at: `${day}T02:00` })).failed).toBe(true);
    const booked = await mine('book_appointment', { starts_at: `${day}T01:00` });
    // An hour after 01:00 the clocks show 03:00.
    expect(booked.data.appointment.ends_at).toBe(`${day}T03:00`);
    expect((await mine('book_appointment', { starts_at: `${day}T03:00` })).failed).toBe(false);
  });

  test('an hour that comes twice in autumn is offered once, and lasts an hour', async () => {
    const { call, mine, business } = await setup(NIGHT, 'Europe/Berlin');
    const day = await changeOf(10);
    const offered = starts(await call('find_slots', { from: day, days: 1 }));
    expect(offered).toEqual([`${day}T01:00`, `${day}T02:00`, `${day}T03:00`]);
    for (const starts_at of offered)
      expect((await mine('book_appointment', { starts_at })).failed, starts_at).toBe(false);
    const lengths = await database.sql<{ minutes: number }[]>`
      select (extract(epoch from ends_at - starts_at) / 60)::int as minutes from appointments where business_id = ${business.id}`;
    expect(lengths.map(({ minutes }) => minutes)).toEqual([60, 60, 60]);
  });
});

describe('the database', () => {
  test('refuses an overlap, a closed hour and hours that are none, whoever writes', async () => {
    const { business, mine } = await setup();
    const day = dayIn(7);
    await mine('book_appointment', { starts_at: `${day}T09:00` });
    const { sql } = database;
    const put = (from: string, to: string) => sql`
      insert into appointments (business_id, calendar_id, reference, customer_phone, starts_at, ends_at)
      select ${business.id}, id, 77777, ${PHONE}, (${from}::timestamp at time zone 'Europe/Lisbon'),
        (${to}::timestamp at time zone 'Europe/Lisbon')
      from appointment_calendars where business_id = ${business.id}`;
    await expect(put(`${day}T09:30`, `${day}T10:30`)).rejects.toMatchObject({
      code: '23P01',
      constraint_name: 'appointment_overlaps',
    });
    await expect(put(`${day}T11:30`, `${day}T12:30`)).rejects.toThrow('appointment_closed');
    await expect(put(`${day}T23:30`, `${dayIn(8)}T09:30`)).rejects.toThrow('appointment_closed');
    for (const hours of [
      { monday: [] },
      { mon: [['9:00', '12:00']] },
      { mon: [['12:00', '09:00']] },
      { mon: 'x' },
    ])
      await expect(addCalendar(business.id, { name: randomUUID(), hours })).rejects.toThrow('valid_hours');
  });

  test('lets admins of the business read, nobody signed in write, and each server call its own functions only', async () => {
    const { business, mine } = await setup();
    await mine('book_appointment', { starts_at: `${dayIn(5)}T09:00` });
    const other = await database.createBusiness();
    const [admin, stranger] = await Promise.all([
      database.createUser({ businessId: business.id, role: 'admin' }),
      database.createUser({ businessId: other.id, role: 'admin' }),
    ]);
    const seen = async (client: typeof database.service) =>
      (await client.from('appointments').select('id')).data?.length ?? 0;
    expect([await seen(admin.client), await seen(stranger.client), await seen(database.anonymous)]).toEqual([
      1, 0, 0,
    ]);
    for (const client of [admin.client, database.anonymous]) {
      const args = { p_business_id: business.id, p_phone: PHONE };
      expect((await client.rpc('appointment_list', args)).error).not.toBeNull();
      expect(
        (await client.from('appointments').delete().eq('business_id', business.id)).error,
      ).not.toBeNull();
      expect((await client.from('appointment_requests').select('*')).error).not.toBeNull();
    }
    const args = { p_business_id: business.id, p_phone: PHONE };
    const rpc = (role: string, businessId: string) => rpcAs(database, role, businessId);
    expect(await rpc('floorwalker_appointments', business.id)('appointment_list', args)).toHaveLength(1);
    for (const [role, businessId, name] of [
      ['floorwalker_appointments', other.id, 'appointment_list'],
      ['floorwalker_orders', business.id, 'appointment_list'],
      ['floorwalker_appointments', business.id, 'shop_find_order'],
      ['floorwalker_orders', other.id, 'shop_find_order'],
    ] as const)
      await expect(rpc(role, businessId)(name, args), `${role} ${name}`).rejects.toThrow('no right');
    await expect(
      rpcAs(database, 'floorwalker_appointments', business.id, -1)('appointment_list', args),
    ).rejects.toThrow();
  });

  test('forgets the appointments of a customer whose data is deleted', async () => {
    const { business, mine } = await setup();
    await mine('book_appointment', { starts_at: `${dayIn(5)}T09:00` });
    const { data, error } = await database.service.rpc('delete_customer_as_operator', {
      p_subject: { business_id: business.id, phone_number: PHONE },
    });
    expect(error).toBeNull();
    expect(data.counts).toMatchObject({ appointments: 1 });
    expect((await mine('list_appointments')).data.appointments).toEqual([]);
  });
});
