import { spawn } from 'node:child_process';
import { readFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import { describe, expect, onTestFinished, test } from 'vitest';
import { namespaceWorks } from '../../src/tools/child-limits.ts';
import { inline, open, row, run, toolsConfig, until } from './support.ts';

describe('programs', () => {
  test('inline in a row are refused unless the operator allows them', async () => {
    const { catalogue, steps } = await open([row('ping', inline('plain'))], {
      config: toolsConfig({ allowInlineStdio: false }),
    });
    expect(catalogue.definition('ping')?.unavailable).toBe('it is not set up correctly');
    expect(steps[0]?.error.message).toContain('ALLOW_INLINE_STDIO');
  });

  test('can not be named into being: only defined servers count', async () => {
    const { catalogue } = await open(
      ['__proto__', 'constructor', 'toString'].map((server, index) =>
        row(`t${index}`, { transport: 'stdio', server }),
      ),
    );
    for (const { unavailable } of catalogue.definitions)
      expect(unavailable).toBe('it is not set up correctly');
  });

  test('see none of the variables of the worker', async () => {
    process.env.WORKER_ONLY_SECRET = 'do-not-leak';
    onTestFinished(() => void delete process.env.WORKER_ONLY_SECRET);
    const { catalogue } = await open([row('whoami', inline('plain', { env: { MINE: 'yes' } }))]);
    const { env } = JSON.parse((await run(catalogue, 'whoami', {})).output);
    expect(Object.keys(env).sort()).toEqual(['LANG', 'MINE', 'PATH']);
  });

  test("can not read the worker's environment or memory, though they run as the same user", async (context) => {
    // A system that allows no user namespaces leaves `runAs`, which the next test covers.
    if (!(await namespaceWorks())) return context.skip();
    const probe = `
      const { readFileSync } = require('fs');
      const tried = [process.ppid, ${process.pid}].flatMap((pid) => ['environ', 'mem', 'maps'].map((file) => {
        try { readFileSync('/proc/' + pid + '/' + file); return 'read'; } catch (error) { return error.code; }
      }));
      process.stderr.write('tried: ' + [...new Set(tried)].join() + '\\n');
      setInterval(() => {}, 1000);`;
    const { lines } = await open(
      [row('ping', { transport: 'stdio', command: process.execPath, args: ['-e', probe] })],
      { connectTimeoutMs: 500 },
    );
    await until(() => lines.some(({ line }) => String(line).startsWith('tried:')), 'the probe has tried');
    expect(lines.map(({ line }) => line).find((line) => String(line).startsWith('tried:'))).toBe(
      'tried: EACCES',
    );
  });

  test.runIf(process.getuid?.() === 0)('run as another user where the operator says so', async () => {
    const probe =
      'const {readFileSync}=require("fs");let r;try{readFileSync("/proc/"+process.ppid+"/environ");r="read"}catch(e){r=e.code}process.stderr.write("parent: "+r+" uid "+process.getuid()+"\\n");setInterval(()=>{},1000)';
    const config = toolsConfig({
      servers: {
        probe: {
          command: process.execPath,
          args: ['-e', probe],
          env: {},
          cwd: '/',
          runAs: { uid: 65_534, gid: 65_534 },
        },
      },
    });
    const { lines } = await open([row('ping', { transport: 'stdio', server: 'probe' })], {
      config,
      connectTimeoutMs: 1_500,
    });
    const line = lines.map(({ line }) => String(line)).find((text) => text.startsWith('parent:'));
    expect(line).toBe('parent: EACCES uid 65534');
  });

  const alive = (pid: number) => {
    try {
      process.kill(pid, 0);
      return true;
    } catch {
      return false;
    }
  };
  /** A killed process that nobody waits for any more still has a number; it runs no more. */
  const running = async (pid: number) =>
    alive(pid) && !(await readFile(`/proc/${pid}/stat`, 'utf8').catch(() => ') Z ')).includes(') Z ');

  test('end with the catalogue, those that ignore signals and their children included', async () => {
    const { catalogue, lines } = await open([row('whoami', inline('stubborn'))]);
    const { pid } = JSON.parse((await run(catalogue, 'whoami', {})).output);
    await until(() => lines.some(({ line }) => String(line).startsWith('child ')), 'the child of the server');
    const child = Number(String(lines.find(({ line }) => String(line).startsWith('child '))?.line).slice(6));
    expect(await running(pid)).toBe(true);
    await catalogue.close();
    await until(async () => !(await running(pid)) && !(await running(child)), 'both have ended');
  });

  test('end when the worker is killed, those that ignore signals and their children included', async () => {
    const worker = spawn(
      process.execPath,
      [fileURLToPath(new URL('./servers/doomed-worker.ts', import.meta.url))],
      { stdio: ['ignore', 'pipe', 'ignore'] },
    );
    onTestFinished(() => void worker.kill('SIGKILL'));
    let output = '';
    worker.stdout.on('data', (chunk) => {
      output += chunk;
    });
    await until(() => output.includes('\n'), 'the worker has its server');
    const { pid, child } = JSON.parse(output) as { pid: number; child: number };
    expect([await running(pid), await running(child)]).toEqual([true, true]);
    worker.kill('SIGKILL');
    await until(async () => !(await running(pid)) && !(await running(child)), 'both have ended');
  });
});
