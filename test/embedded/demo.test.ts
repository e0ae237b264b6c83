import { existsSync } from 'node:fs';
import { chmod, mkdtemp, rm, stat, writeFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createClient } from '@supabase/supabase-js';
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { freeTcpPort } from '../../src/embedded/ports.ts';
import { DemoProcess } from './demo-process.ts';
import { isRunning } from './orphans.ts';

const START_MS = 90_000;
const STOP_MS = 45_000;

let folder: string;
const demos: DemoProcess[] = [];
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'floorwalker-demo-'));
  // The account that runs PostgreSQL for root must be able to enter.
  await chmod(folder, 0o755);
});
afterEach(async () => {
  await Promise.all(demos.splice(0).map((demo) => demo.end()));
  await rm(folder, { recursive: true, force: true });
}, STOP_MS);

function demo(args: readonly string[], dataDir = join(folder, 'data')): DemoProcess {
  const process = new DemoProcess(dataDir, args);
  demos.push(process);
  return process;
}

async function staying(...more: string[]): Promise<DemoProcess> {
  const process = demo(['--no-rehearsal', '--port', String(await freeTcpPort()), ...more]);
  await process.until(/Ctrl-C stops everything/, START_MS);
  return process;
}

describe('a demo that stays up', () => {
  test('describes itself to its owner alone, starts again what dies, and leaves nothing after Ctrl-C', {
    timeout: START_MS + 3 * STOP_MS,
  }, async () => {
    const running = await staying('--workers', '2');
    const first = await running.describe();
    expect((await stat(join(running.dataDir, 'demo.json'))).mode & 0o777).toBe(0o600);
    expect(first.processes.map(({ name }) => name).sort()).toEqual(
      ['API', 'LiveKit', 'PostgreSQL', 'Supabase', 'rehearsal servers', 'worker 1', 'worker 2'].sort(),
    );
    expect(first.processes.every(({ pid }) => isRunning(pid))).toBe(true);
    expect(first.supervisors.map((person) => person.supervisor_type).sort()).toEqual(['chat', 'voice']);
    expect(first.agents.map((agent) => agent.agent_type).sort()).toEqual(['chat', 'voice']);

    // Another demo on the same folder is refused and changes nothing.
    const second = demo(['--no-rehearsal', '--port', String(await freeTcpPort())]);
    expect(await second.exited).toBe(1);
    expect(second.output).toMatch(/A demo \(process \d+\) already runs on .*\[demo_running\]/);
    expect(await running.describe()).toEqual(first);

    // What dies is started again, on the same address and with what it held.
    for (const name of ['PostgreSQL', 'API']) {
      const { pid } = first.processes.find((process) => process.name === name) ?? { pid: 0 };
      process.kill(pid, 'SIGKILL');
      await running.until(new RegExp(`${name} \\(process ${pid}\\) died \\(SIGKILL\\)`), START_MS);
      await running.until(new RegExp(`${name} runs again \\(process \\d+\\)`), START_MS);
    }
    // What lost its database starts again too, some moments later.
    const complete = ({ processes }: { processes: readonly { pid: number }[] }) =>
      processes.length === first.processes.length && processes.every(({ pid }) => isRunning(pid));
    await vi.waitUntil(async () => complete(await running.describe()), { timeout: START_MS, interval: 200 });
    const later = await running.describe();
    expect(later.processes).toHaveLength(first.processes.length);
    expect(later.processes.every(({ pid }) => isRunning(pid))).toBe(true);
    expect((await fetch(`${later.api_url}/readyz`)).status).toBe(200);
    const client = createClient(later.supabase_url, later.supabase_publishable_key, {
      auth: { persistSession: false, autoRefreshToken: false },
    });
    const signedIn = await client.auth.signInWithPassword(later.admin);
    expect(signedIn.error).toBeNull();
    expect((await client.from('agents').select('id')).data).toHaveLength(2);

    running.kill('SIGINT');
    expect(await running.exited).toBe(0);
    expect(later.processes.filter(({ pid }) => isRunning(pid))).toEqual([]);
    expect(existsSync(join(running.dataDir, 'demo.json'))).toBe(false);
    expect(existsSync(join(running.dataDir, 'demo.lock'))).toBe(false);
  });

  test('one that was killed leaves no process, and the next one takes its folder over', {
    timeout: 2 * START_MS + 2 * STOP_MS,
  }, async () => {
    const killed = await staying();
    const { processes } = await killed.describe();
    killed.kill('SIGKILL');
    await killed.exited;
    await expect.poll(() => processes.filter(({ pid }) => isRunning(pid)), { timeout: 30_000 }).toEqual([]);
    const next = await staying();
    expect(next.output).toContain(`a demo that was killed (process ${killed.pid}) left its lock`);
    next.kill('SIGTERM');
    expect(await next.exited).toBe(0);
  });
});

describe('a demo that cannot start', () => {
  test('says that its port is in use, and starts nothing', { timeout: STOP_MS }, async () => {
    const server = createServer().listen(0, '127.0.0.1');
    await new Promise((resolve) => server.once('listening', resolve));
    const address = server.address();
    const port = address !== null && typeof address === 'object' ? address.port : 0;
    const refused = demo(['--port', String(port)]);
    expect(await refused.exited).toBe(1);
    expect(refused.output).toContain(`Port ${port} is in use. [cannot_listen]`);
    expect(refused.output).toContain('--port N');
    expect(existsSync(join(refused.dataDir, 'postgres'))).toBe(false);
    expect(existsSync(join(refused.dataDir, 'demo.lock'))).toBe(false);
    server.close();
  });

  test('says that its data folder can not be written', { timeout: STOP_MS }, async () => {
    const file = join(folder, 'a-file');
    await writeFile(file, '');
    const refused = demo([], join(file, 'data'));
    expect(await refused.exited).toBe(1);
    expect(refused.output).toMatch(/can't be written: .* \[data_folder_unusable\]\n {2}→ Make it writable/);
  });

  test('says which option it does not understand', { timeout: STOP_MS }, async () => {
    const refused = demo(['--workers', 'many']);
    expect(await refused.exited).toBe(1);
    expect(refused.output).toContain("--workers: the value can't be used. [invalid_request]");
    expect(refused.output).toContain('usage: floorwalker demo');
  });
});
