import { McpServer } from '@modelcontextprotocol/sdk/server/mcp.js';
import { z } from 'zod';
import { chooseCustomer } from '../serving/customer.ts';
import { answer, keyFrom, reads, refusal } from '../serving/results.ts';
import { money, orderAnswer, orderAnswerSchema, shippingAnswer, shippingAnswerSchema } from './answers.ts';
import type { Shop } from './shop.ts';

const orderNumber = z.number().int().min(1).max(999_999_999);
const reason = z.string().max(1_000).optional().describe('Why the customer wants it, in a few words');

const changes = { openWorldHint: false, readOnlyHint: false, destructiveHint: true } as const;

/**
 * The shop's tools. `business` is the id of the shop's business, or `argument` when each call brings it.
 * What a customer can't do (another's order, more than was paid, after shipping) the database refuses; here it
 * becomes a sentence that a model can pass on.
 */
export function createOrdersServer(shop: Shop, businessId: string): McpServer {
  const server = new McpServer({ name: 'floorwalker-orders', version: '0.1.0' });
  const { customerOf, identity } = chooseCustomer(businessId);

  server.registerTool(
    'find_order',
    {
      title: 'Find an order',
      description:
        'Looks up an order of the customer: its items, status, total and what can still be paid back. ' +
        'Without a number it lists the latest five.',
      inputSchema: { ...identity, order_number: orderNumber.optional() },
      outputSchema: { orders: z.array(orderAnswerSchema) },
      annotations: { title: 'Find an order', ...reads },
    },
    async (args) => {
      const orders = await shop.findOrders(customerOf(args), args.order_number);
      if (orders.length === 0) return refusal(notFound(args.order_number));
      return answer({ orders: orders.map(orderAnswer) });
    },
  );

  server.registerTool(
    'track_shipping',
    {
      title: 'Track a parcel',
      description:
        'Says where the parcel of an order is: carrier, tracking number, and when it was or will be there.',
      inputSchema: { ...identity, order_number: orderNumber },
      outputSchema: shippingAnswerSchema.shape,
      annotations: { title: 'Track a parcel', ...reads },
    },
    async (args) => {
      const [order] = await shop.findOrders(customerOf(args), args.order_number);
      return order === undefined ? refusal(notFound(args.order_number)) : answer(shippingAnswer(order));
    },
  );

  server.registerTool(
    'refund_order',
    {
      title: 'Refund an order',
      description:
        'Pays an order back to the way the customer paid, in part or, without an amount, all that is left. ' +
        'This moves money and can not be undone.',
      inputSchema: {
        ...identity,
        order_number: orderNumber,
        amount: z
          .number()
          .positive()
          .max(1_000_000)
          .optional()
          .describe('In the currency of the order, for example 12.5'),
        reason,
      },
      outputSchema: { refunded_now: z.string(), order: orderAnswerSchema },
      annotations: { title: 'Refund an order', idempotentHint: false, ...changes },
    },
    async (args, { _meta }) => {
      const amountCents = args.amount === undefined ? undefined : toCents(args.amount);
      if (amountCents === null) return refusal('An amount has at most two decimals.');
      const refund = await shop.refund(customerOf(args), {
        orderNumber: args.order_number,
        amountCents,
        reason: args.reason,
        idempotencyKey: keyFrom(_meta),
      });
      switch (refund.outcome) {
        case 'refunded':
          return answer({
            refunded_now: money(refund.refund_cents, refund.order.currency),
            order: orderAnswer(refund.order),
          });
        case 'too_much':
          return refusal(
            `Not refunded: at most ${money(refund.left_cents, refund.order.currency)} of this order can be paid back.`,
          );
        case 'nothing_left':
          return refusal('Not refunded: this order has been paid back in full already.');
        case 'key_reused':
          return refusal('Not refunded: this request was made before with other values.');
        case 'not_found':
          return refusal(notFound(args.order_number));
      }
    },
  );

  server.registerTool(
    'cancel_order',
    {
      title: 'Cancel an order',
      description: 'Cancels an order that is not shipped yet and pays it back. Can not be undone.',
      inputSchema: { ...identity, order_number: orderNumber, reason },
      outputSchema: { cancelled: z.boolean(), order: orderAnswerSchema },
      annotations: { title: 'Cancel an order', idempotentHint: true, ...changes },
    },
    async (args, { _meta }) => {
      const result = await shop.cancel(customerOf(args), {
        orderNumber: args.order_number,
        reason: args.reason,
        idempotencyKey: keyFrom(_meta),
      });
      if (result.outcome === 'not_found') return refusal(notFound(args.order_number));
      if (result.outcome === 'too_late') {
        return refusal(
          `Not cancelled: the order is ${result.order.status} already. A refund is still possible.`,
        );
      }
      return answer({ cancelled: true, order: orderAnswer(result.order) });
    },
  );

  return server;
}

/** Cents of an amount, or null when it has more than two decimals. */
function toCents(amount: number): number | null {
  const cents = Math.round(amount * 100);
  return Math.abs(cents - amount * 100) < 1e-6 ? cents : null;
}

/** The same words for an order that does not exist and for another customer's: neither may be told apart. */
function notFound(number: number | undefined): string {
  return number === undefined
    ? 'There are no orders under the phone number of this customer.'
    : `There is no order ${number} under the phone number of this customer.`;
}
