import { existsSync } from 'node:fs';
import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { RoomServiceClient } from 'livekit-server-sdk';
import postgres from 'postgres';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { findLiveKitServer } from '../../src/embedded/livekit-binary.ts';
import { startLiveKit } from '../../src/embedded/livekit-server.ts';
import { startPostgres } from '../../src/embedded/postgres.ts';
import { isRunning, startVictim } from './orphans.ts';

let folder: string;
const stops: (() => Promise<void>)[] = [];
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'floorwalker-servers-'));
  // The account that runs PostgreSQL for root must be able to enter.
  await rm(folder, { recursive: true });
  await mkdir(folder, { mode: 0o755 });
});
afterEach(async () => {
  await Promise.all(stops.splice(0).map((stop) => stop()));
  await rm(folder, { recursive: true, force: true });
});

async function start(options: { dataDir?: string; password?: string } = {}) {
  const server = await startPostgres({
    dataDir: folder,
    password: 'p/w with space',
    settings: { fsync: 'off' },
    ...options,
  });
  stops.push(server.stop);
  return server;
}

async function query(url: string, text: string): Promise<unknown[]> {
  const sql = postgres(url, { max: 1, onnotice: () => {} });
  try {
    return [...(await sql.unsafe(text))];
  } finally {
    await sql.end();
  }
}

async function binary(): Promise<string> {
  const found = await findLiveKitServer(process.env);
  if (!found) throw new Error('no livekit-server');
  return found.path;
}

describe('the embedded PostgreSQL', () => {
  test('what was written is there when it is started again, on the same password', async () => {
    const first = await start();
    await query(first.url, 'create table kept as select 7 as n');
    await Promise.all([first.stop(), first.stop()]);
    expect(isRunning(first.pid)).toBe(false);
    const second = await start();
    expect(await query(second.url, 'select n from kept')).toEqual([{ n: 7 }]);
  });

  test('another password is refused, and it listens on loopback alone', async () => {
    const server = await start();
    const url = new URL(server.url);
    url.password = 'guessed';
    await expect(query(url.href, 'select 1')).rejects.toMatchObject({ code: '28P01' });
    expect(await query(server.url, 'show listen_addresses')).toEqual([{ listen_addresses: '127.0.0.1' }]);
  });

  test('two run side by side', async () => {
    const [one, other] = await Promise.all([
      start({ dataDir: join(folder, 'one') }),
      start({ dataDir: join(folder, 'other') }),
    ]);
    expect(one.url).not.toBe(other.url);
    await query(one.url, 'create table only_here ()');
    await expect(query(other.url, 'table only_here')).rejects.toMatchObject({ code: '42P01' });
  });

  test('when its starter is killed it stops, and the next start finds what was acknowledged', async () => {
    const data = join(folder, 'data');
    const { process: victim, line } = await startVictim(
      folder,
      `import { startPostgres } from 'SRC/postgres.ts';
       const server = await startPostgres({ dataDir: ${JSON.stringify(data)}, password: 'p' });
       console.log(JSON.stringify({ pid: server.pid, url: server.url }));`,
    );
    await query(String(line.url), 'create table acknowledged ()');
    victim.kill('SIGKILL');
    // At once: it has to wait for the one that is stopping.
    const server = await start({ dataDir: data, password: 'p' });
    expect(isRunning(Number(line.pid))).toBe(false);
    expect(await query(server.url, 'table acknowledged')).toEqual([]);
  });

  test.runIf(process.getuid?.() === 0)(
    'where root may go and PostgreSQL may not, it is kept elsewhere, as long as its folder is',
    async () => {
      const closed = join(folder, 'closed');
      await mkdir(closed, { mode: 0o700 });
      const dataDir = join(closed, 'data');
      const first = await start({ dataDir });
      expect(first.clusterDir.startsWith(folder)).toBe(false);
      const elsewhere = dirname(first.clusterDir);
      stops.push(() => rm(elsewhere, { recursive: true, force: true }));
      await query(first.url, 'create table kept ()');
      await first.stop();
      const second = await start({ dataDir });
      expect(await query(second.url, 'table kept')).toEqual([]);
      await second.stop();
      // Somebody removed the folder, and with it the password that was kept in it.
      const third = await start({ dataDir, password: 'a new one' });
      await expect(query(third.url, 'table kept')).rejects.toMatchObject({ code: '42P01' });
    },
  );

  test('a cluster of another version is refused with a remedy, and left as it is', async () => {
    await mkdir(join(folder, 'postgres'));
    await writeFile(join(folder, 'postgres', 'PG_VERSION'), '12\n');
    await expect(start()).rejects.toMatchObject({
      code: 'embedded_start_failed',
      message: expect.stringContaining('was made by PostgreSQL 12'),
    });
    expect(await readFile(join(folder, 'postgres', 'PG_VERSION'), 'utf8')).toBe('12\n');
  });

  test('a server that cannot start says why in its own words', async () => {
    const failing = startPostgres({
      dataDir: folder,
      password: 'p',
      settings: { shared_buffers: 'nonsense' },
    });
    await expect(failing).rejects.toThrow(/invalid value for parameter "shared_buffers"/);
    expect(existsSync(join(folder, 'postgres', 'postmaster.pid'))).toBe(false);
  });
});

describe('the embedded LiveKit', () => {
  test('two run side by side, each with its own key', async () => {
    const path = await binary();
    const [one, other] = await Promise.all([startLiveKit({ binary: path }), startLiveKit({ binary: path })]);
    stops.push(one.stop, other.stop);
    const rooms = (url: string, key: { apiKey: string; apiSecret: string }) =>
      new RoomServiceClient(url.replace('ws', 'http'), key.apiKey, key.apiSecret).listRooms();
    expect(await rooms(one.url, one)).toEqual([]);
    await expect(rooms(one.url, other)).rejects.toThrow();
    await Promise.all([one.stop(), one.stop()]);
    expect(isRunning(one.pid)).toBe(false);
    expect(await rooms(other.url, other)).toEqual([]);
  });

  test('it ends when its starter is killed', async () => {
    const { process: victim, line } = await startVictim(
      folder,
      `import { startLiveKit } from 'SRC/livekit-server.ts';
       const server = await startLiveKit({ binary: ${JSON.stringify(await binary())} });
       console.log(JSON.stringify({ pid: server.pid }));`,
    );
    victim.kill('SIGKILL');
    await expect.poll(() => isRunning(Number(line.pid)), { timeout: 20_000 }).toBe(false);
  });

  test('a program that is not LiveKit is an error with what it wrote', async () => {
    const failing = startLiveKit({ binary: '/bin/false' });
    await expect(failing).rejects.toMatchObject({ code: 'embedded_start_failed' });
  });
});
