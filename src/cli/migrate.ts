import type { Config } from '../config.ts';
import { migrate, migrationState } from '../database/migrate.ts';
import { FloorwalkerError } from '../errors.ts';
import type { Log } from '../log.ts';

const USAGE = `usage: floorwalker migrate [--check]

Brings the database at DATABASE_URL (PostgreSQL 15 or newer, or the database of a Supabase project) up to the
schema of this version. With --check it only says what is missing, with status 1 if anything is.`;

/**
 * `floorwalker migrate`. Returns the exit status.
 *
 * @throws FloorwalkerError `config_invalid` and those of {@link migrate}
 */
export async function runMigrate(
  args: readonly string[],
  config: Pick<Config, 'databaseUrl'>,
  log: Log,
): Promise<number> {
  if (args.includes('--help') || args.some((arg) => arg !== '--check')) {
    console.log(USAGE);
    return args.includes('--help') ? 0 : 2;
  }
  const { databaseUrl } = config;
  if (databaseUrl === undefined) {
    throw new FloorwalkerError('config_invalid', 'DATABASE_URL is not set.', {
      remedy:
        'Set it to the connection string of the database, for Supabase from Project Settings → Database.',
    });
  }
  if (args.includes('--check')) {
    const { applied, pending } = await migrationState(databaseUrl);
    console.log(`${applied.length} migrations applied, ${pending.length} missing`);
    for (const name of pending) console.log(`  ${name}`);
    return pending.length === 0 ? 0 : 1;
  }
  const { applied } = await migrate(databaseUrl, { log });
  for (const name of applied) console.log(`applied ${name}`);
  console.log(applied.length === 0 ? 'The database is up to date.' : `${applied.length} migrations applied.`);
  return 0;
}
