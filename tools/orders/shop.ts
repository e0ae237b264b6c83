import { z } from 'zod';
import type { Rpc } from '../serving/rpc.ts';

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
  readonly #rpc: Rpc;

  constructor(rpc: Rpc) {
    this.#rpc = rpc;
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

  async #call<Schema extends z.ZodType>(
    name: string,
    args: Readonly<Record<string, unknown>>,
    schema: Schema,
  ): Promise<z.output<Schema>> {
    return schema.parse(await this.#rpc(name, args));
  }
}

function who({ businessId, phone }: Customer) {
  return { p_business_id: businessId, p_phone: phone };
}
