import { z } from 'zod';
import type { Database } from './client.ts';
import { callFunction } from './rpc.ts';

/** Whom a deletion is about: a customer, or one conversation of somebody whose number was never known. */
export type DeletionSubject =
  | { readonly customer_id: string }
  | { readonly phone_number: string }
  | { readonly interaction_id: string };

export const receiptSchema = z.object({
  id: z.guid(),
  subject_kind: z.enum(['customer', 'interaction']),
  subject_hash: z.string(),
  counts: z.record(z.string(), z.number()),
  deleted_by: z.guid().nullable(),
  deleted_by_name: z.string(),
  deleted_at: z.string(),
  hash: z.string(),
});
export type DeletionReceipt = z.output<typeof receiptSchema>;

const newReceiptSchema = receiptSchema.extend({ subject_nonce: z.string() });
/** With the random text that proves whom the receipt is about; it is kept nowhere else. */
export type NewDeletionReceipt = z.output<typeof newReceiptSchema>;

/**
 * Deletes everything that names a customer, as the signed-in admin.
 *
 * @throws FloorwalkerError `not_allowed`, `customer_not_found`, `interaction_not_found`,
 * `customer_in_conversation` with `interaction_ids`
 */
export function deleteCustomer(db: Database, subject: DeletionSubject): Promise<NewDeletionReceipt> {
  return callFunction(db, 'delete_customer', { p_subject: subject }, newReceiptSchema);
}

/** The same with the secret key. @throws FloorwalkerError `business_not_found` besides those of deleteCustomer */
export function deleteCustomerAsOperator(
  db: Database,
  business: { readonly business_slug: string } | { readonly business_id: string },
  subject: DeletionSubject,
): Promise<NewDeletionReceipt> {
  const parameters = { p_subject: { ...subject, ...business } };
  return callFunction(db, 'delete_customer_as_operator', parameters, newReceiptSchema);
}
