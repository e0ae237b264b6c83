import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { expect, it, onTestFinished } from 'vitest';
import { z } from 'zod';

const MAIN = new URL('../../src/embedded/rehearsal/main.ts', import.meta.url).pathname;
const readySchema = z.object({
  url: z.string(),
  openai_base_url: z.string(),
  deepgram_base_url: z.string(),
  pid: z.number(),
});

async function start(args: string[] = []) {
  const child: ChildProcess = spawn(process.execPath, [MAIN, ...args], {
    stdio: ['pipe', 'pipe', 'inherit'],
  });
  onTestFinished(() => void child.kill('SIGKILL'));
  if (!child.stdout) throw new Error('no output');
  const [line] = await once(createInterface({ input: child.stdout }), 'line');
  return { child, ready: readySchema.parse(JSON.parse(String(line))) };
}

it('says where it listens, wants its key, and ends on SIGTERM', async () => {
  const { child, ready } = await start(['--key', 'secret']);
  const models = (key: string) =>
    fetch(`${ready.openai_base_url}/models`, { headers: { authorization: `Bearer ${key}` } });
  expect((await models('wrong')).status).toBe(401);
  expect(await (await models('secret')).json()).toMatchObject({ data: [{ id: 'rehearsal-model' }] });
  expect((await fetch(`${ready.url}/healthz`)).status).toBe(200);
  expect(ready.deepgram_base_url).toMatch(/^ws:/);
  child.kill('SIGTERM');
  expect(await once(child, 'exit')).toEqual([0, null]);
});

it('ends when its parent is gone', async () => {
  const { child } = await start(['--watch-stdin']);
  child.stdin?.end();
  expect(await once(child, 'exit')).toEqual([0, null]);
});

it('ends with a clear line when its port is taken', async () => {
  const { ready } = await start();
  const second = spawn(process.execPath, [MAIN, '--port', new URL(ready.url).port], {
    stdio: ['ignore', 'ignore', 'pipe'],
  });
  onTestFinished(() => void second.kill('SIGKILL'));
  let words = '';
  second.stderr.on('data', (chunk) => {
    words += String(chunk);
  });
  const [status] = await once(second, 'close');
  expect(status).toBe(1);
  expect(words).toMatch(/^The rehearsal servers can't start: .*EADDRINUSE/);
});
