import type { Stats } from 'node:fs';
import { lstat, mkdir, mkdtemp, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Log } from '../log.ts';
import type { Outbox } from '../session/outbox.ts';
import { BEAT, LIFE, openRecords, RECORDS, readHead, WORKER, writeHead } from './spool-format.ts';
import { lookForLife, showLife, thisMachine } from './spool-life.ts';
import type { Seal, SpoolSecret } from './spool-seal.ts';

const PREFIX = 'floorwalker-spool-';
/** Where sockets tell nothing (another machine on the same disk), a folder whose worker has not written for so long. */
const ABANDONED_MS = 120_000;
/** What nobody can read is kept for so long, in case its key comes back. */
const UNREADABLE_MS = 86_400_000;
const BATCH = 1_000;

export interface SpoolFolderOptions {
  /** Where the folders of all workers are: workers that share it store what one of them left. */
  readonly parent: string;
  readonly secret: SpoolSecret;
  readonly log: Log;
}

type Restores = Pick<Outbox, 'restore'>;

/**
 * The folder in which the processes of a worker keep what waits for the database. What a dead process left there is
 * stored by its worker; what a dead worker left, with all its processes, by whichever worker sees it first. A record
 * that is stored twice is stored once.
 */
export class SpoolFolder {
  readonly path: string;
  readonly #seal: Seal;
  readonly #options: SpoolFolderOptions;
  /** What is being stored, by file: who asks for it in the meantime waits for it too. */
  readonly #storing = new Map<string, Promise<void>>();
  #closed = false;

  private constructor(path: string, seal: Seal, options: SpoolFolderOptions) {
    this.path = path;
    this.#seal = seal;
    this.#options = options;
  }

  static async make(options: SpoolFolderOptions): Promise<SpoolFolder> {
    await mkdir(options.parent, { recursive: true });
    // Made for this user alone (0700).
    const path = await mkdtemp(join(options.parent, PREFIX));
    const seal = writeHead(path, options.secret);
    showLife(join(path, `${WORKER}${LIFE}`));
    const folder = new SpoolFolder(path, seal, options);
    await folder.beat();
    return folder;
  }

  /** Says that its worker lives, by the clock of the disk. */
  async beat(): Promise<void> {
    await writeFile(join(this.path, BEAT), '.');
  }

  /** Stores what processes of this worker have left. Resolves when all of it is stored, or refused for good. */
  async recoverDead(outbox: Restores): Promise<void> {
    await this.#recover(
      this.path,
      this.#seal,
      outbox,
      (life, pid) => life === 'dead' || (life === 'unknown' && !exists(pid)),
    );
  }

  /** Stores what workers have left that are dead. */
  async recoverLeft(outbox: Restores): Promise<void> {
    const { parent, log } = this.#options;
    for (const name of await readdir(parent)) {
      const folder = join(parent, name);
      if (!name.startsWith(PREFIX) || folder === this.path) continue;
      await this.#look(folder, outbox).catch((err: unknown) =>
        log.warn({ err, folder: name }, 'the folder of another worker can not be looked through'),
      );
    }
  }

  /** For the end of this worker: what is not stored by now is left for the next one. */
  async close(): Promise<void> {
    this.#closed = true;
    if ((await namesIn(this.path, RECORDS)).length > 0) return;
    await rm(this.path, { recursive: true, force: true });
  }

  async #look(folder: string, outbox: Restores): Promise<void> {
    const found = await lstat(folder).catch(() => undefined);
    if (!found?.isDirectory() || !isOurs(found)) return;
    const head = readHead(folder, this.#options.secret);
    const same = head?.machine === thisMachine();
    const worker = same ? await lookForLife(join(folder, `${WORKER}${LIFE}`)) : 'unknown';
    if (worker === 'alive') return;
    const idleMs = await this.#idleMs(folder);
    if (!head?.seal) {
      if (idleMs > UNREADABLE_MS) await rm(folder, { recursive: true, force: true });
      return;
    }
    const abandoned = idleMs > ABANDONED_MS;
    if (worker !== 'dead' && !abandoned) return;
    // Processes outlive their worker for some seconds, and their folder has to be there as long.
    const remaining = await this.#recover(
      folder,
      head.seal,
      outbox,
      (life) => (same && life === 'dead') || (abandoned && !(same && life === 'alive')),
    );
    if (remaining === 0 && !this.#closed) await rm(folder, { recursive: true, force: true });
  }

  /** @returns how many processes may still live. */
  async #recover(
    folder: string,
    seal: Seal,
    outbox: Restores,
    isDead: (life: Awaited<ReturnType<typeof lookForLife>>, pid: number) => boolean,
  ): Promise<number> {
    const names = new Set([...(await namesIn(folder, RECORDS)), ...(await namesIn(folder, LIFE))]);
    names.delete(WORKER);
    let remaining = 0;
    const stored: Promise<void>[] = [];
    for (const name of names) {
      const process = join(folder, name);
      const life = await lookForLife(`${process}${LIFE}`);
      const pid = Number.parseInt(name, 10);
      if (!isDead(life, pid)) {
        remaining += 1;
        continue;
      }
      const storing = this.#storing.get(process) ?? this.#store(process, pid, seal, outbox);
      this.#storing.set(process, storing);
      stored.push(storing.finally(() => this.#storing.delete(process)));
    }
    await Promise.all(stored);
    return remaining;
  }

  async #store(process: string, pid: number, seal: Seal, outbox: Restores): Promise<void> {
    const { log } = this.#options;
    const text = await readFile(`${process}${RECORDS}`, 'utf8').catch(() => '');
    const records = openRecords(text, seal);
    let refused = 0;
    if (records.length > 0)
      log.warn({ child: pid, records: records.length }, 'records of a dead process are stored');
    for (let from = 0; from < records.length; from += BATCH) {
      const batch = records.slice(from, from + BATCH);
      const results = await Promise.all(batch.map((record) => outbox.restore(record)));
      refused += results.filter((result) => result !== 'stored').length;
    }
    // This worker ends before the database is back: the next one has to find it.
    if (this.#closed) return;
    if (refused > 0)
      log.warn({ child: pid, refused }, 'records of a dead process were refused by the database');
    await rm(`${process}${RECORDS}`, { force: true });
    await rm(`${process}${LIFE}`, { force: true });
  }

  /** For how long nothing was written there; by the clock of the disk, which may be another machine's. */
  async #idleMs(folder: string): Promise<number> {
    const files = [folder, ...(await readdir(folder)).map((name) => join(folder, name))];
    const times = await Promise.all(
      files.map(async (file) => (await stat(file).catch(() => undefined))?.mtimeMs ?? 0),
    );
    const { mtimeMs: now } = await stat(join(this.path, BEAT));
    return now - Math.max(...times);
  }
}

async function namesIn(folder: string, ending: string): Promise<string[]> {
  const names = await readdir(folder).catch(() => []);
  return names.flatMap((name) => (name.endsWith(ending) ? [name.slice(0, -ending.length)] : []));
}

/** Others may make folders in a shared place as well, and call them as they like. */
function isOurs({ uid }: Stats): boolean {
  return process.getuid === undefined || uid === process.getuid();
}

function exists(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
}
