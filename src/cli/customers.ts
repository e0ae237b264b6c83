import type { Command } from 'commander';
import { z } from 'zod';
import { createServiceClient } from '../database/client.ts';
import { type DeletionSubject, deleteCustomerAsOperator } from '../database/deletions.ts';
import { FloorwalkerError } from '../errors.ts';
import { findBusiness } from './agent-store.ts';
import { type CommandDeps, printLines } from './command-deps.ts';
import { findDatabase } from './database-place.ts';

interface DeleteOptions {
  phone?: string;
  customer?: string;
  interaction?: string;
  business?: string;
  yes?: boolean;
  data: string;
}

export function registerCustomersCommand(program: Command, deps: CommandDeps): void {
  const customers = program.command('customers').description('the people who call and write');
  customers
    .command('delete')
    .description('delete everything that names a customer, for good, and print the receipt')
    .option('--phone <number>', 'whose: in international form, such as +31201234567')
    .option('--customer <id>', 'whose: the id of the customer')
    .option('--interaction <id>', 'one conversation of somebody whose number was never known')
    .option('--business <slug>', 'not needed while there is one business')
    .option('--yes', 'really do it')
    .option(
      '--data <folder>',
      "a running demo's data folder, used while no SUPABASE_URL is set",
      '.floorwalker',
    )
    .action((options: DeleteOptions) => remove(options, deps));
}

const subjectSchema = z.union([
  z.strictObject({ phone_number: z.string().regex(/^\+[1-9]\d{6,14}$/) }),
  z.strictObject({ customer_id: z.guid() }),
  z.strictObject({ interaction_id: z.guid() }),
]);

function readSubject({ phone, customer, interaction }: DeleteOptions): DeletionSubject {
  const given = {
    ...(phone === undefined ? {} : { phone_number: phone }),
    ...(customer === undefined ? {} : { customer_id: customer }),
    ...(interaction === undefined ? {} : { interaction_id: interaction }),
  };
  const parsed = subjectSchema.safeParse(given);
  if (parsed.success) return parsed.data;
  throw new FloorwalkerError('invalid_request', 'It is not clear whose data to delete.', {
    remedy: 'Give one of --phone, --customer and --interaction. Nothing was changed.',
  });
}

/** @throws FloorwalkerError `invalid_request`, `customer_not_found`, `customer_in_conversation`, `business_not_found` */
async function remove(options: DeleteOptions, deps: CommandDeps): Promise<void> {
  const subject = readSubject(options);
  const db = createServiceClient(findDatabase(deps, options.data));
  const business = await findBusiness(db, options.business);
  if (!options.yes) {
    throw new FloorwalkerError('invalid_request', 'What is deleted does not come back.', {
      remedy: 'Add --yes to really do it. Nothing was changed.',
    });
  }
  const receipt = await deleteCustomerAsOperator(db, { business_id: business.id }, subject);
  const counts = Object.entries(receipt.counts).map(([table, rows]) => `  ${table}: ${rows}`);
  printLines(deps, [
    `Deleted from ${business.slug}:`,
    ...counts,
    'The receipt, to keep: its subject_nonce proves whom it is about and is stored nowhere else.',
    JSON.stringify(receipt, null, 2),
  ]);
}
