import type { SupabaseClient } from '@supabase/supabase-js';
import { z } from 'zod';

/** The customer of most example orders; a number that belongs to nobody (reserved for examples). */
export const EXAMPLE_PHONE = '+12025550142';
const OTHER_PHONE = '+12025550187';

const DAY_MS = 86_400_000;

interface ExampleOrder {
  readonly number: number;
  readonly phone: string;
  readonly status: 'processing' | 'shipped' | 'delivered' | 'cancelled';
  /** Days since it was placed. */
  readonly age: number;
  readonly carrier?: string;
  readonly items: readonly (readonly [name: string, quantity: number, priceCents: number])[];
}

const EXAMPLES: readonly ExampleOrder[] = [
  {
    number: 1042,
    phone: EXAMPLE_PHONE,
    status: 'delivered',
    age: 9,
    carrier: 'DHL',
    items: [
      ['Fountain pen "Aurora"', 1, 3990],
      ['Ink bottle, blue', 2, 1000],
    ],
  },
  {
    number: 1043,
    phone: EXAMPLE_PHONE,
    status: 'shipped',
    age: 3,
    carrier: 'DHL',
    items: [['Notebook A5, dotted', 3, 890]],
  },
  {
    number: 1044,
    phone: EXAMPLE_PHONE,
    status: 'processing',
    age: 0,
    items: [['Desk lamp "Birch"', 1, 7450]],
  },
  {
    number: 1045,
    phone: EXAMPLE_PHONE,
    status: 'cancelled',
    age: 20,
    items: [['Paper clips, brass', 5, 240]],
  },
  {
    number: 1046,
    phone: OTHER_PHONE,
    status: 'delivered',
    age: 12,
    carrier: 'UPS',
    items: [['Letter paper, 100 sheets', 1, 1450]],
  },
  {
    number: 1047,
    phone: OTHER_PHONE,
    status: 'shipped',
    age: 4,
    carrier: 'UPS',
    items: [
      ['Wax seal set', 1, 3200],
      ['Envelopes C6, 50', 2, 650],
    ],
  },
  { number: 1048, phone: OTHER_PHONE, status: 'processing', age: 1, items: [['Calligraphy set', 1, 4990]] },
  {
    number: 1049,
    phone: EXAMPLE_PHONE,
    status: 'delivered',
    age: 40,
    carrier: 'DHL',
    items: [['Diary 2026, leather', 1, 3490]],
  },
  {
    number: 1050,
    phone: EXAMPLE_PHONE,
    status: 'shipped',
    age: 6,
    carrier: 'Hermes',
    items: [
      ['Watercolour box, 24', 1, 5600],
      ['Brush set', 1, 1890],
    ],
  },
  {
    number: 1051,
    phone: EXAMPLE_PHONE,
    status: 'delivered',
    age: 2,
    carrier: 'DHL',
    items: [['Pencil case', 2, 1250]],
  },
  {
    number: 1052,
    phone: OTHER_PHONE,
    status: 'delivered',
    age: 30,
    carrier: 'DHL',
    items: [['Stapler, red', 1, 1690]],
  },
  { number: 1053, phone: EXAMPLE_PHONE, status: 'processing', age: 0, items: [['Globe, 30 cm', 1, 8900]] },
];

/** Fills a business's shop with a dozen orders; those that are there already stay as they are. */
export async function seedShopOrders(
  db: SupabaseClient,
  businessId: string,
  now: Date = new Date(),
): Promise<void> {
  const rows = EXAMPLES.map((order) => orderRow(order, businessId, now));
  const written = await db
    .from('shop_orders')
    .upsert(rows, { onConflict: 'business_id,order_number', ignoreDuplicates: true })
    .select('id, order_number');
  if (written.error) throw new Error(`The example orders can not be written: ${written.error.message}`);
  const added = z.array(z.object({ id: z.string(), order_number: z.number() })).parse(written.data ?? []);
  const items = added.flatMap(({ id, order_number }) => itemRows(id, order_number));
  if (items.length === 0) return;
  const { error } = await db.from('shop_order_items').insert(items);
  if (error) throw new Error(`The items of the example orders can not be written: ${error.message}`);
  await payBackCancelled(db, businessId, added);
}

/** What was cancelled has been paid back. */
async function payBackCancelled(
  db: SupabaseClient,
  businessId: string,
  added: readonly { id: string; order_number: number }[],
): Promise<void> {
  const refunds = added.flatMap(({ id, order_number }) => {
    const order = EXAMPLES.find(({ number }) => number === order_number);
    if (order?.status !== 'cancelled') return [];
    const amount_cents = order.items.reduce((sum, [, quantity, price]) => sum + quantity * price, 0);
    const idempotency_key = `example:${order_number}`;
    return [{ business_id: businessId, order_id: id, amount_cents, reason: 'cancelled', idempotency_key }];
  });
  const { error } = await db.from('shop_refunds').insert(refunds);
  if (error) throw new Error(`The refunds of the example orders can not be written: ${error.message}`);
}

function orderRow({ number, phone, status, age, carrier }: ExampleOrder, businessId: string, now: Date) {
  const daysAgo = (days: number) => new Date(now.getTime() - days * DAY_MS).toISOString();
  const isSent = status === 'shipped' || status === 'delivered';
  return {
    business_id: businessId,
    order_number: number,
    customer_phone: phone,
    status,
    currency: 'EUR',
    placed_at: daysAgo(age),
    carrier: carrier ?? null,
    tracking_number: isSent ? `FW${number}EX` : null,
    shipped_at: isSent ? daysAgo(Math.max(age - 1, 0)) : null,
    expected_at: isSent ? daysAgo(age - 5) : null,
    delivered_at: status === 'delivered' ? daysAgo(Math.max(age - 4, 0)) : null,
    cancelled_at: status === 'cancelled' ? daysAgo(age - 1) : null,
  };
}

function itemRows(orderId: string, orderNumber: number) {
  const order = EXAMPLES.find(({ number }) => number === orderNumber);
  return (order?.items ?? []).map(([name, quantity, unit_price_cents], index) => ({
    order_id: orderId,
    position: index + 1,
    name,
    quantity,
    unit_price_cents,
  }));
}
