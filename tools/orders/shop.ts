import { z } from 'zod';
import { type Customer, who } from '../serving/customer.ts';
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

/** The shop's database functions. They decide; nothing here does. */
export class Shop {
  readonly #rpc: Rpc;

  constructor(rpc: Rpc) {
    this.#rpc = rpc;
  }

  async findOrders(customer: Customer, orderNumber: number | undefined): Promise<Order[]> {
    const args = { ...who(customer), p_order_number: orderNumber ?? null };
    return z.array(orderSchema).parse(await this.#rpc('shop_find_order', args));
  }

  async refund(
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
    return refundSchema.parse(await this.#rpc('shop_refund_order', { ...who(customer), ...args }));
  }

  async cancel(
    customer: Customer,
    cancellation: { orderNumber: number; reason: string | undefined; idempotencyKey: string },
  ): Promise<Cancellation> {
    const args = {
      p_order_number: cancellation.orderNumber,
      p_reason: cancellation.reason ?? null,
      p_idempotency_key: cancellation.idempotencyKey,
    };
    return cancelSchema.parse(await this.#rpc('shop_cancel_order', { ...who(customer), ...args }));
  }
}
