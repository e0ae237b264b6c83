import { randomInt } from 'node:crypto';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { registerCustomersCommand } from '../../src/cli/customers.ts';
import { pastInteraction } from '../database/floor.ts';
import { setupDatabase, type TestDatabase } from '../support/database.ts';
import { databaseEnv, runCommand } from './run-command.ts';

let db: TestDatabase;
beforeAll(async () => {
  db = await setupDatabase();
});
afterAll(() => db?.stop());

const run = (...args: string[]) =>
  runCommand(registerCustomersCommand, databaseEnv(db), ['customers', 'delete', ...args]);

it('deletes only with --yes, and prints the receipt that proves whom it was about', async () => {
  const business = await db.createBusiness();
  const agent = await db.createAgent({ businessId: business.id });
  // A number that no earlier try has left behind.
  const phone = `+316${randomInt(10_000_000, 99_999_999)}`;
  const id = await pastInteraction(db, agent, { startedAt: new Date(Date.now() - 60_000), phone });

  expect((await run('--phone', phone)).error).toMatchObject({ code: 'invalid_request' });
  expect((await run('--phone', '0677777777', '--yes')).error).toMatchObject({ code: 'invalid_request' });
  expect((await run('--yes')).error).toMatchObject({ code: 'invalid_request' });
  const [before] = await db.sql`select phone_number from interactions where id = ${id}`;
  expect(before?.phone_number).toBe(phone);

  const { output, error } = await run('--phone', phone, '--yes');
  expect(error).toBeUndefined();
  expect(output).toMatch(/interactions: 1/);
  expect(output).toMatch(/"subject_nonce": "[0-9a-f]{64}"/);
  expect(output).not.toContain(phone);
  const [after] = await db.sql`select phone_number from interactions where id = ${id}`;
  expect(after?.phone_number).toBeNull();
});
