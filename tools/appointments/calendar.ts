import { z } from 'zod';
import { type Customer, who } from '../serving/customer.ts';
import type { Rpc } from '../serving/rpc.ts';

export const appointmentSchema = z.object({
  reference: z.number().int(),
  calendar: z.string(),
  status: z.enum(['confirmed', 'cancelled', 'completed', 'no_show']),
  /** Local time of the business, YYYY-MM-DDTHH:MM. */
  starts_at: z.string(),
  ends_at: z.string(),
  weekday: z.string(),
  time_zone: z.string(),
  reason: z.string().nullable(),
});
export type Appointment = z.output<typeof appointmentSchema>;

const noCalendarSchema = z.object({ outcome: z.literal('no_calendar'), calendars: z.array(z.string()) });

export const slotSchema = z.object({ starts_at: z.string(), weekday: z.string() });

const slotsSchema = z.discriminatedUnion('outcome', [
  z.object({
    outcome: z.literal('slots'),
    calendar: z.string(),
    time_zone: z.string(),
    minutes: z.number(),
    now: z.string(),
    slots: z.array(slotSchema),
  }),
  noCalendarSchema,
]);
const putSchema = z.discriminatedUnion('outcome', [
  z.object({ outcome: z.literal('done'), repeated: z.boolean(), appointment: appointmentSchema }),
  z.object({ outcome: z.literal('not_free'), free: z.array(z.string()) }),
  z.object({ outcome: z.literal('too_many'), limit: z.number() }),
  noCalendarSchema,
  z.object({ outcome: z.literal('not_found') }),
  z.object({ outcome: z.literal('key_reused') }),
]);
export type Put = z.output<typeof putSchema>;

const cancelSchema = z.discriminatedUnion('outcome', [
  z.object({ outcome: z.literal('done'), repeated: z.boolean(), appointment: appointmentSchema }),
  z.object({ outcome: z.literal('not_found') }),
]);

/** The calendar's database functions. They decide; nothing here does. */
export class Calendar {
  readonly #rpc: Rpc;

  constructor(rpc: Rpc) {
    this.#rpc = rpc;
  }

  async slots(
    businessId: string,
    wanted: { calendar?: string | undefined; from?: string | undefined; days: number; limit: number },
  ) {
    const { calendar, from, days, limit } = wanted;
    const args = { p_calendar: calendar ?? null, p_from: from ?? null, p_days: days, p_limit: limit };
    return slotsSchema.parse(await this.#rpc('appointment_slots', { p_business_id: businessId, ...args }));
  }

  async list(customer: Customer): Promise<Appointment[]> {
    return z.array(appointmentSchema).parse(await this.#rpc('appointment_list', who(customer)));
  }

  /** Books, or with a reference moves, to a local time that is free. */
  async put(
    customer: Customer,
    wanted: {
      reference?: number;
      calendar?: string | undefined;
      startsAt: string;
      name?: string | undefined;
      reason?: string | undefined;
      idempotencyKey: string;
    },
  ) {
    const args = {
      ...who(customer),
      p_reference: wanted.reference ?? null,
      p_calendar: wanted.calendar ?? null,
      p_starts_at: wanted.startsAt,
      p_name: wanted.name ?? null,
      p_reason: wanted.reason ?? null,
      p_key: wanted.idempotencyKey,
    };
    return putSchema.parse(await this.#rpc('appointment_put', args));
  }

  async cancel(customer: Customer, reference: number) {
    const args = { ...who(customer), p_reference: reference };
    return cancelSchema.parse(await this.#rpc('appointment_cancel', args));
  }
}
