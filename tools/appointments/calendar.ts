import { z } from 'zod';
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

export interface Customer {
  readonly businessId: string;
  /** E.164; an appointment of any other number is not found. */
  readonly phone: string;
}

/** The calendar's database functions. They decide; nothing here does. */
export class Calendar {
  readonly #rpc: Rpc;

  constructor(rpc: Rpc) {
    this.#rpc = rpc;
  }

  slots(
    businessId: string,
    wanted: { calendar?: string | undefined; from?: string | undefined; days: number; limit: number },
  ) {
    const { calendar, from, days, limit } = wanted;
    const args = { p_calendar: calendar ?? null, p_from: from ?? null, p_days: days, p_limit: limit };
    return this.#call('appointment_slots', { p_business_id: businessId, ...args }, slotsSchema);
  }

  list({ businessId, phone }: Customer): Promise<Appointment[]> {
    return this.#call(
      'appointment_list',
      { p_business_id: businessId, p_phone: phone },
      z.array(appointmentSchema),
    );
  }

  /** Books, or with a reference moves, to a local time that is free. */
  put(
    { businessId, phone }: Customer,
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
      p_business_id: businessId,
      p_phone: phone,
      p_reference: wanted.reference ?? null,
      p_calendar: wanted.calendar ?? null,
      p_starts_at: wanted.startsAt,
      p_name: wanted.name ?? null,
      p_reason: wanted.reason ?? null,
      p_key: wanted.idempotencyKey,
    };
    return this.#call('appointment_put', args, putSchema);
  }

  cancel({ businessId, phone }: Customer, reference: number) {
    const args = { p_business_id: businessId, p_phone: phone, p_reference: reference };
    return this.#call('appointment_cancel', args, cancelSchema);
  }

  async #call<Schema extends z.ZodType>(
    name: string,
    args: Readonly<Record<string, unknown>>,
    schema: Schema,
  ): Promise<z.output<Schema>> {
    return schema.parse(await this.#rpc(name, args));
  }
}
