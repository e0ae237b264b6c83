import { execFile } from 'node:child_process';
import { createHash, randomBytes } from 'node:crypto';
import { constants } from 'node:fs';
import {
  access,
  chmod,
  chown,
  cp,
  lstat,
  mkdir,
  readdir,
  readFile,
  rename,
  rm,
  writeFile,
} from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { FloorwalkerError } from '../errors.ts';

const run = promisify(execFile);

/** PostgreSQL refuses to run as root; this is who runs it instead. */
export interface Account {
  readonly name: string;
  readonly uid: number;
  readonly gid: number;
}

/** Undefined when we are not root and can run it ourselves. The account must have an entry in the user database. */
export async function unprivilegedAccount(): Promise<Account | undefined> {
  if (process.getuid?.() !== 0) return undefined;
  for (const name of ['postgres', 'nobody']) {
    try {
      const [uid, gid] = await Promise.all([run('id', ['-u', name]), run('id', ['-g', name])]);
      return { name, uid: Number(uid.stdout), gid: Number(gid.stdout) };
    } catch {
      // Not on this machine; try the next one.
    }
  }
  throw new FloorwalkerError('embedded_start_failed', 'PostgreSQL does not run as root', {
    remedy: 'Create the user "nobody", or run this as an ordinary user.',
  });
}

/** True when that account can run this program, with every folder above it open to it. */
export async function canRun(account: Account | undefined, program: string): Promise<boolean> {
  try {
    await run(program, ['--version'], { cwd: '/', ...identity(account) });
    return true;
  } catch {
    return false;
  }
}

async function canEnter(account: Account, folder: string): Promise<boolean> {
  try {
    await run('/bin/sh', ['-c', 'cd -- "$1"', 'sh', folder], { cwd: '/', ...identity(account) });
    return true;
  } catch {
    return false;
  }
}

/** Below this an account other than root can reach what belongs to it; survives a restart of the machine where it can. */
async function sharedFolder(): Promise<string> {
  try {
    await access('/var/tmp', constants.W_OK);
    return '/var/tmp';
  } catch {
    return tmpdir();
  }
}

/** A copy of `folder` that everybody can read, made once for each version; belongs to root, so nobody else can change it. */
export async function readableCopy(folder: string, label: string): Promise<string> {
  const copy = join(await sharedFolder(), `floorwalker-${label}`);
  const uid = process.getuid?.() ?? 0;
  const existing = await lstat(copy).catch(() => undefined);
  if (existing?.isDirectory() && existing.uid === uid && (existing.mode & 0o022) === 0) return copy;
  if (existing) {
    throw new FloorwalkerError('embedded_start_failed', `${copy} is in the way: it does not belong to us`, {
      remedy: `Remove ${copy}.`,
    });
  }
  const fresh = `${copy}.${randomBytes(6).toString('hex')}`;
  await mkdir(fresh, { mode: 0o755 });
  await cp(folder, fresh, { recursive: true, verbatimSymlinks: true });
  await run('chmod', ['-R', 'a+rX', fresh]);
  await chmod(fresh, 0o755);
  try {
    await rename(fresh, copy);
  } catch {
    // Somebody else was faster; theirs is the same.
    await rm(fresh, { recursive: true, force: true });
    return readableCopy(folder, label);
  }
  return copy;
}

/**
 * Where that account can keep its files: the wanted folder, or when it can't get there, one of its own elsewhere.
 * What is elsewhere belongs to one `owner` (any text that is new when the wanted folder is): what another one left
 * there, whose folder was removed since, goes.
 */
export async function reachableFolder(
  account: Account | undefined,
  wanted: string,
  owner: string,
): Promise<string> {
  await mkdir(wanted, { recursive: true });
  if (!account || (await canEnter(account, wanted))) return wanted;
  const digest = (text: string) => createHash('sha256').update(text).digest('hex');
  const folder = join(await sharedFolder(), `floorwalker-data-${digest(wanted).slice(0, 16)}`);
  await mkdir(folder, { mode: 0o711 }).catch(() => {});
  const { uid } = await lstat(folder);
  if (uid !== process.getuid?.()) {
    throw new FloorwalkerError('embedded_start_failed', `${folder} is in the way: it does not belong to us`, {
      remedy: `Remove ${folder}.`,
    });
  }
  const mark = join(folder, 'owner');
  if ((await readFile(mark, 'utf8').catch(() => '')) !== digest(owner)) {
    for (const name of await readdir(folder)) await rm(join(folder, name), { recursive: true, force: true });
    await writeFile(mark, digest(owner), { mode: 0o600 });
  }
  return folder;
}

/** Makes an empty folder that only that account can use. */
export async function privateFolder(account: Account | undefined, path: string): Promise<void> {
  await mkdir(path, { mode: 0o700 });
  if (account) await chown(path, account.uid, account.gid);
}

/** The same for a file with a secret in it. */
export async function privateFile(
  account: Account | undefined,
  path: string,
  content: string,
): Promise<void> {
  await writeFile(path, content, { mode: 0o600, flag: 'wx' });
  if (account) await chown(path, account.uid, account.gid);
}

/** What `spawn` and `execFile` take to become that account. */
function identity(account: Account | undefined): { uid?: number; gid?: number } {
  return account ? { uid: account.uid, gid: account.gid } : {};
}
