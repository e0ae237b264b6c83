import { z } from 'zod';
import type { Order } from './shop.ts';

/** How an order is told: amounts with their currency and dates as days, ready to be said. */
export const orderAnswerSchema = z.object({
  order_number: z.number().int(),
  status: z.enum(['processing', 'shipped', 'delivered', 'cancelled']),
  placed_on: z.string(),
  items: z.array(z.object({ name: z.string(), quantity: z.number().int(), price: z.string() })),
  total: z.string(),
  refunded: z.string(),
  refundable: z.string(),
});
export type OrderAnswer = z.output<typeof orderAnswerSchema>;

export const shippingAnswerSchema = z.object({
  order_number: z.number().int(),
  status: z.enum(['processing', 'shipped', 'delivered', 'cancelled']),
  carrier: z.string().optional(),
  tracking_number: z.string().optional(),
  shipped_on: z.string().optional(),
  expected_on: z.string().optional(),
  delivered_on: z.string().optional(),
});
export type ShippingAnswer = z.output<typeof shippingAnswerSchema>;

export function money(cents: number, currency: string): string {
  return `${(cents / 100).toFixed(2)} ${currency}`;
}

function day(time: string | null): string | undefined {
  return time?.slice(0, 10);
}

export function orderAnswer(order: Order): OrderAnswer {
  const { currency } = order;
  return {
    order_number: order.order_number,
    status: order.status,
    placed_on: day(order.placed_at) ?? '',
    items: order.items.map(({ name, quantity, unit_price_cents }) => ({
      name,
      quantity,
      price: money(unit_price_cents, currency),
    })),
    total: money(order.paid_cents, currency),
    refunded: money(order.refunded_cents, currency),
    refundable: money(order.paid_cents - order.refunded_cents, currency),
  };
}

export function shippingAnswer(order: Order): ShippingAnswer {
  const { order_number, status, carrier, tracking_number } = order;
  return {
    order_number,
    status,
    carrier: carrier ?? undefined,
    tracking_number: tracking_number ?? undefined,
    shipped_on: day(order.shipped_at),
    expected_on: status === 'shipped' ? day(order.expected_at) : undefined,
    delivered_on: day(order.delivered_at),
  };
}
