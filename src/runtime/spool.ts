import { randomBytes } from 'node:crypto';
import { appendFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import type { Log } from '../log.ts';
import type { Spool } from '../session/outbox.ts';
import { LIFE, RECORDS, readHead } from './spool-format.ts';
import { showLife } from './spool-life.ts';
import type { SpoolSecret } from './spool-seal.ts';

/** Far above what the longest outage leaves; a disk is not filled for it. */
const MOST_BYTES = 200_000_000;
const NAME_BYTES = 4;

/**
 * Where a process keeps what waits for the database, as long as the database is away: if it dies in that time, its
 * worker or a later one stores it in its place. Sealed, because it is what people said.
 *
 * @param folder as its worker handed it down. Undefined when it can't be used: an outage alone does no harm.
 */
export function openSpool(folder: string, secret: SpoolSecret, log: Log): Spool | undefined {
  const seal = readHead(folder, secret)?.seal;
  if (!seal) {
    log.warn('what waits for the database can not be kept on disk: its folder is gone');
    return undefined;
  }
  // Process ids are given again.
  const name = join(folder, `${process.pid}-${randomBytes(NAME_BYTES).toString('hex')}`);
  const file = `${name}${RECORDS}`;
  showLife(`${name}${LIFE}`);
  let bytes = 0;
  let broken = false;
  return {
    keep(records) {
      if (broken || bytes > MOST_BYTES) return;
      const text = records.map((record) => `${seal.seal(record)}\n`).join('');
      try {
        // At once, because the next moment may be the last one; and only while the database is away.
        appendFileSync(file, text, { mode: 0o600 });
        bytes += text.length;
      } catch (err) {
        broken = true;
        log.warn({ err }, 'what waits for the database can not be kept on disk');
      }
    },
    clear() {
      bytes = 0;
      broken = false;
      rmSync(file, { force: true });
    },
  };
}
