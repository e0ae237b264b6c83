import type { SupabaseClient } from '@supabase/supabase-js';
import { z } from 'zod';

const time = z.string().nullable();

const orderSchema = z.object({
  order_number: z.number(),
  status: z.enum(['processing', 'shipped', 'delivered', 'cancelled']),
  currency: z.string(),
  placed_at: z.string(),
  shipped_at: time,
  expected_at: time,
  delivered_at: time,
  cancelled_at: time,
  carrier: z.string().nullable(),
  tracking_number: z.string().nullable(),
  paid_cents: z.coerce.number(),
  refunded_cents: z.coerce.number(),
  items: z.array(z.object({ name: z.string(), quantity: z.number(), unit_price_cents: z.number() })),
});
export type Order = z.output<typeof orderSchema>;

const refundSchema = z.discriminatedUnion('outcome', [
  z.object({
    outcome: z.literal('refunded'),
    repeated: z.boolean(),
    refund_cents: z.coerce.number(),
    order: orderSchema,
  }),
  z.object({ outcome: z.literal('too_much'), left_cents: z.coerce.number(), order: orderSchema }),
  z.object({ outcome: z.literal('nothing_left'), order: orderSchema }),
  z.object({ outcome: z.literal('key_reused') }),
  z.object({ outcome: z.literal('not_found') }),
]);
export type Refund = z.output<typeof refundSchema>;

const cancelSchema = z.discriminatedUnion('outcome', [
  z.object({ outcome: z.literal('cancelled'), repeated: z.boolean(), order: orderSchema }),
  z.object({ outcome: z.literal('too_late'), order: orderSchema }),
  z.object({ outcome: z.literal('not_found') }),
]);
export type Cancellation = z.output<typeof cancelSchema>;

export interface Customer {
  readonly businessId: string;
  /** E.164; an order of any other number is not found. */
  readonly phone: string;
}

/** The shop's database functions. They decide; nothing here does. */
export class Shop {
  readonly #db: SupabaseClient;

  constructor(db: SupabaseClient) {
    this.#db = db;
  }

  findOrders(customer: Customer, orderNumber: number | undefined): Promise<Order[]> {
    return this.#call(
      'shop_find_order',
      { ...who(customer), p_order_number: orderNumber ?? null },
      z.array(orderSchema),
    );
  }

  refund(
    customer: Customer,
    refund: {
      orderNumber: number;
      amountCents: number | undefined;
      reason: string | undefined;
      idempotencyKey: string;
    },
  ): Promise<Refund> {
    const args = {
      p_order_number: refund.orderNumber,
      p_amount_cents: refund.amountCents ?? null,
      p_reason: refund.reason ?? null,
      p_idempotency_key: refund.idempotencyKey,
    };
    return this.#call('shop_refund_order', { ...who(customer), ...args }, refundSchema);
  }

  cancel(
    customer: Customer,
    cancellation: { orderNumber: number; reason: string | undefined; idempotencyKey: string },
  ): Promise<Cancellation> {
    const args = {
      p_order_number: cancellation.orderNumber,
      p_reason: cancellation.reason ?? null,
      p_idempotency_key: cancellation.idempotencyKey,
    };
    return this.#call('shop_cancel_order', { ...who(customer), ...args }, cancelSchema);
  }

  /** The business, where there is exactly one. @throws Error when there are several or none */
  async onlyBusiness(): Promise<string> {
    const { data, error } = await this.#db.from('businesses').select('id').is('deleted_at', null).limit(2);
    if (error) throw new Error(`The shop's database can not be read: ${error.message}`);
    const ids = z.array(z.object({ id: z.string() })).parse(data);
    if (ids.length !== 1 || ids[0] === undefined) {
      throw new Error(
        `There ${ids.length === 0 ? 'is no business' : 'are several businesses'}. Set ORDERS_BUSINESS_ID to the id of the shop's, or to "argument" where the host binds business_id.`,
      );
    }
    return ids[0].id;
  }

  async #call<Schema extends z.ZodType>(
    name: string,
    args: object,
    schema: Schema,
  ): Promise<z.output<Schema>> {
    const { data, error } = await this.#db.rpc(name, args);
    if (error) throw new Error(`The shop's database failed in ${name}: ${error.message}`);
    return schema.parse(data);
  }
}

function who({ businessId, phone }: Customer) {
  return { p_business_id: businessId, p_phone: phone };
}
