import { z } from 'zod';

const orderSchema = z.object({
  order_number: z.coerce.string(),
  status: z.string(),
  items: z.array(z.object({ name: z.string(), quantity: z.number().default(1) })).default([]),
  total: z.string().optional(),
  refundable: z.string().optional(),
});
const ordersSchema = z.object({ orders: z.array(orderSchema) });
const refundSchema = z.object({ refunded_now: z.string(), order: orderSchema });
const shippingSchema = z.object({
  order_number: z.coerce.string(),
  status: z.string(),
  carrier: z.string().optional(),
  tracking_number: z.string().optional(),
  expected_on: z.string().optional(),
  delivered_on: z.string().optional(),
});

/** An order as the shop's tools tell it. */
export type OrderFacts = z.output<typeof orderSchema>;

function parse(output: string): unknown {
  const start = output.indexOf('{');
  try {
    return start < 0 ? undefined : JSON.parse(output.slice(start));
  } catch {
    return undefined;
  }
}

export function ordersIn(output: string): OrderFacts[] {
  return ordersSchema.safeParse(parse(output)).data?.orders ?? [];
}

export function hasNothingLeft(order: OrderFacts): boolean {
  return /^0(?:\.0+)?\b/.test(order.refundable ?? '');
}

/** What a result of the shop's tools says, in plain sentences; undefined for results of another form. */
export function shopSentence(tool: string, output: string): string | undefined {
  const value = parse(output);
  if (tool === 'find_order') {
    const orders = ordersIn(output);
    return orders.length === 0 ? undefined : orders.map(orderSentence).join(' ');
  }
  if (tool === 'refund_order') {
    const refund = refundSchema.safeParse(value).data;
    return refund && `${refund.refunded_now} of order ${refund.order.order_number} will be paid back.`;
  }
  if (tool === 'cancel_order') {
    const order = z.object({ order: orderSchema }).safeParse(value).data?.order;
    return order && `Order ${order.order_number} is cancelled and will be paid back.`;
  }
  if (tool !== 'track_shipping') return undefined;
  const parcel = shippingSchema.safeParse(value).data;
  if (parcel === undefined) return undefined;
  const sender = parcel.carrier ? ` with ${parcel.carrier}` : '';
  const day = parcel.delivered_on
    ? `It was delivered on ${parcel.delivered_on}.`
    : parcel.expected_on
      ? `It is expected on ${parcel.expected_on}.`
      : 'It has not been sent yet.';
  return `Order ${parcel.order_number} is ${parcel.status}${sender}. ${day}`;
}

function orderSentence(order: OrderFacts): string {
  const items = order.items
    .map(({ name, quantity }) => (quantity > 1 ? `${quantity} × ${name}` : name))
    .join(', ');
  const total = order.total ? `, ${order.total} in total` : '';
  return `Order ${order.order_number} is ${order.status}: ${items || 'no items'}${total}.`;
}
