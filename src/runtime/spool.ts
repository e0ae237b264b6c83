import { createCipheriv, createDecipheriv, randomBytes } from 'node:crypto';
import { appendFileSync, rmSync } from 'node:fs';
import { mkdtemp, readdir, readFile, rm, stat } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Log } from '../log.ts';
import type { Outbox, Spool, Spooled } from '../session/outbox.ts';

const PREFIX = 'floorwalker-spool-';
const CIPHER = 'aes-256-gcm';
const IV_BYTES = 12;
const TAG_BYTES = 16;
/** Far above what the longest outage leaves; a disk is not filled for it. */
const MOST_BYTES = 200_000_000;
/** A folder whose worker was killed can be read by nobody any more. */
const STALE_MS = 86_400_000;

/**
 * Where the processes of a worker keep what waits for the database, as long as the database is away: a process that
 * dies in that time takes nothing with it that its worker can't store in its place. What people said lies there only
 * encrypted, and the key is nowhere but in the memory of these processes.
 */
export class SpoolFolder {
  readonly #folder: string;
  readonly #key: Buffer;
  readonly #log: Log;
  readonly #taken = new Set<string>();

  private constructor(folder: string, key: Buffer, log: Log) {
    this.#folder = folder;
    this.#key = key;
    this.#log = log;
  }

  static async make(log: Log, parent: string = tmpdir()): Promise<SpoolFolder> {
    await removeStale(parent);
    // Made for this user alone (0700).
    return new SpoolFolder(await mkdtemp(join(parent, PREFIX)), randomBytes(32), log);
  }

  /** For the processes of this worker; a secret. */
  get address(): string {
    return `${this.#key.toString('base64url')}:${this.#folder}`;
  }

  /** Stores what processes have left that live no more. Resolves when it is stored, or refused for good. */
  async recoverDead(outbox: Pick<Outbox, 'restore'>): Promise<void> {
    for (const name of await readdir(this.#folder).catch(() => [])) {
      if (isAlive(Number(name)) || this.#taken.has(name)) continue;
      this.#taken.add(name);
      const file = join(this.#folder, name);
      const records = await this.#read(file);
      this.#log.warn(
        { child: Number(name), records: records.length },
        'records of a dead process are stored',
      );
      await Promise.all(records.map((record) => outbox.restore(record)));
      await rm(file, { force: true });
    }
  }

  async remove(): Promise<void> {
    await rm(this.#folder, { recursive: true, force: true });
  }

  async #read(file: string): Promise<Spooled[]> {
    const lines = (await readFile(file, 'utf8')).split('\n');
    return lines.flatMap((line) => {
      const record = line === '' ? undefined : open(line, this.#key);
      return record ? [record] : [];
    });
  }
}

/** The part of a process of the worker. @param address as its worker gave it. */
export function openSpool(address: string, log: Log): Spool {
  const [key = '', folder = ''] = address.split(/:(.*)/s);
  const secret = Buffer.from(key, 'base64url');
  const file = join(folder, String(process.pid));
  let bytes = 0;
  let broken = false;
  return {
    keep(records) {
      if (broken || bytes > MOST_BYTES) return;
      const text = records.map((record) => `${seal(record, secret)}\n`).join('');
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

function seal(record: Spooled, key: Buffer): string {
  const iv = randomBytes(IV_BYTES);
  const cipher = createCipheriv(CIPHER, key, iv);
  const text = Buffer.concat([cipher.update(JSON.stringify(record), 'utf8'), cipher.final()]);
  return Buffer.concat([iv, cipher.getAuthTag(), text]).toString('base64url');
}

/** Undefined for a line that its writer's death has cut off. */
function open(line: string, key: Buffer): Spooled | undefined {
  try {
    const sealed = Buffer.from(line, 'base64url');
    const decipher = createDecipheriv(CIPHER, key, sealed.subarray(0, IV_BYTES));
    decipher.setAuthTag(sealed.subarray(IV_BYTES, IV_BYTES + TAG_BYTES));
    const text = [decipher.update(sealed.subarray(IV_BYTES + TAG_BYTES)), decipher.final()];
    return JSON.parse(Buffer.concat(text).toString('utf8')) as Spooled;
  } catch {
    return undefined;
  }
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
}

async function removeStale(parent: string): Promise<void> {
  for (const name of await readdir(parent)) {
    if (!name.startsWith(PREFIX)) continue;
    const folder = join(parent, name);
    const { mtimeMs } = await stat(folder).catch(() => ({ mtimeMs: Number.POSITIVE_INFINITY }));
    if (Date.now() - mtimeMs > STALE_MS) await rm(folder, { recursive: true, force: true }).catch(() => {});
  }
}
