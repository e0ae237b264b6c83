import { createRoute, z } from '@hono/zod-openapi';
import type { MiddlewareHandler } from 'hono';
import { deleteCustomer } from '../../database/deletions.ts';
import type { Api, ApiEnv } from '../environment.ts';
import { cursorSchema, limitSchema } from '../page.ts';
import { listReceipts } from '../reads/deletions.ts';
import { idSchema, pageOf, phoneNumberSchema, receiptSchema } from '../schemas.ts';
import { problems } from './answers.ts';
import { guard } from './guard.ts';

const security = [{ signedIn: [] }];
const tags = ['Privacy'];
const json = <T extends z.ZodType>(schema: T) => ({ 'application/json': { schema } });

const subjectSchema = z
  .union([
    z.strictObject({ customer_id: idSchema }),
    z.strictObject({ phone_number: phoneNumberSchema }),
    z.strictObject({ interaction_id: idSchema }),
  ])
  .openapi('DeletionSubject', {
    description: 'A customer, or one conversation of somebody whose number was never known.',
  });

const newReceiptSchema = receiptSchema
  .extend({
    subject_nonce: z.string().openapi({
      description:
        'SHA-256 of this, a colon and the phone number (or the interaction’s id) is `subject_hash`. Given out once and kept nowhere.',
    }),
  })
  .openapi('NewDeletionReceipt');

const remove = createRoute({
  method: 'post',
  path: '/v1/deletions',
  tags,
  summary: 'Delete everything that names a customer, for good (admins)',
  security,
  request: { body: { required: true, content: json(subjectSchema) } },
  responses: {
    201: { description: 'Deleted; the receipt', content: json(newReceiptSchema) },
    ...problems(400, 401, 403, 404, 409, 413, 415, 503),
  },
});

const list = createRoute({
  method: 'get',
  path: '/v1/deletions',
  tags,
  summary: 'Receipts of deletions, newest first (admins)',
  security,
  request: { query: z.object({ limit: limitSchema, cursor: cursorSchema.optional() }) },
  responses: {
    200: { description: 'A page', content: json(pageOf(receiptSchema, 'DeletionReceiptPage')) },
    ...problems(400, 401, 403, 503),
  },
});

export function addDeletionRoutes(api: Api, person: MiddlewareHandler<ApiEnv>): void {
  for (const route of [remove, list]) guard(api, route, person);

  api.openapi(remove, async (context) => {
    const receipt = await deleteCustomer(context.get('person').db, context.req.valid('json'));
    context.get('log').info({ receipt: receipt.id, counts: receipt.counts }, 'a customer’s data was deleted');
    return context.json(receipt, 201);
  });

  api.openapi(list, async (context) =>
    context.json(await listReceipts(context.get('person').db, context.req.valid('query')), 200),
  );
}
