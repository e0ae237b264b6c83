import { existsSync } from 'node:fs';
import { chmod, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { freeTcpPort } from '../../src/embedded/ports.ts';
import { DemoProcess } from './demo-process.ts';

const LONGEST_MS = 300_000;

test('demo --once plays a chat and a call to their archives and ends with status 0', {
  timeout: LONGEST_MS,
}, async () => {
  const folder = await mkdtemp(join(tmpdir(), 'floorwalker-demo-'));
  // The account that runs PostgreSQL for root must be able to enter.
  await chmod(folder, 0o755);
  const demo = new DemoProcess(folder, ['--once', '--port', String(await freeTcpPort())]);
  try {
    expect(await demo.exited, demo.output).toBe(0);
    for (const what of [
      'joined',
      'agent',
      'customer',
      'tool',
      'paused',
      'decided',
      'tool ran',
      'metrics',
      'archived',
    ]) {
      const lines = demo.output.split('\n').filter((line) => new RegExp(`^ +[\\d.]+ s  ${what} `).test(line));
      expect(lines.length, `lines that begin with "${what}"`).toBeGreaterThanOrEqual(2);
    }
    expect(demo.output).toContain('rehearsal: everything came true');
    expect(demo.output).not.toContain('FAILED');
    expect(existsSync(join(folder, 'demo.json'))).toBe(false);
  } finally {
    await demo.end();
    await rm(folder, { recursive: true, force: true });
  }
});
