import { spawn } from 'node:child_process';
import { readFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import { describe, expect, onTestFinished, test } from 'vitest';
import { isPublicAddress, type ResolveAddresses } from '../../src/tools/address-check.ts';
import { namespaceWorks } from '../../src/tools/child-limits.ts';
import { createGuardedFetch } from '../../src/tools/guarded-fetch.ts';
import { startHttpServer } from './servers/http.ts';
import { http, inline, open, row, run, STDIO_SERVER, toolsConfig, until } from './support.ts';

/** `${secret:NAME}` as a row has it. */
const secretNamed = (name: string) => `\${secret:${name}}`;

const STRICT = { allowPrivateAddresses: false };

describe('addresses that are not public are refused', () => {
  test.each([
    '127.0.0.1',
    '127.8.8.8',
    '0.0.0.0',
    '10.1.2.3',
    '172.16.0.1',
    '192.168.1.1',
    '169.254.169.254',
    '100.64.0.1',
    '192.0.0.8',
    '198.18.0.1',
    '224.0.0.1',
    '240.0.0.1',
    '255.255.255.255',
    '::',
    '::1',
    '::ffff:127.0.0.1',
    '::ffff:8.8.8.8',
    '::127.0.0.1',
    '::7f00:1',
    'fe80::1',
    'fec0::1',
    'fc00::1',
    'fd12::1',
    'ff02::1',
    '64:ff9b::7f00:1',
    '64:ff9b:1::1',
    '2002:7f00:1::',
    '2001::1',
    '2001:db8::1',
    '100::1',
    '4000::1',
    'nonsense',
  ])('%s', (address) => expect(isPublicAddress(address)).toBe(false));

  test.each(['8.8.8.8', '1.1.1.1', '2606:4700::1', '2a00:1450::1'])('%s is public', (address) =>
    expect(isPublicAddress(address)).toBe(true),
  );
});

/** A resolver whose answers come one after the other, as an attacker's name server gives them. */
function answering(...answers: string[][]): ResolveAddresses & { asked: number } {
  const resolve = (_hostname: string, callback: Parameters<ResolveAddresses>[1]) => {
    const addresses = answers[Math.min(resolve.asked, answers.length - 1)] ?? [];
    resolve.asked += 1;
    callback(
      null,
      addresses.map((address) => ({ address, family: address.includes(':') ? 6 : 4 })),
    );
  };
  resolve.asked = 0;
  return resolve;
}

describe('requests of tools', () => {
  test.each([
    'http://127.0.0.1:{port}',
    'http://localhost:{port}',
    'http://localhost.:{port}',
    'http://2130706433:{port}',
    'http://0x7f000001:{port}',
    'http://0177.0.0.1:{port}',
    'http://127.1:{port}',
    'http://[::ffff:127.0.0.1]:{port}',
    'http://①②⑦.0.0.1:{port}',
    'http://0:{port}',
  ])('to %s never leave', async (pattern) => {
    const { server } = await http('plain');
    const guarded = createGuardedFetch(STRICT);
    onTestFinished(() => guarded.close());
    await expect(guarded.fetch(pattern.replace('{port}', String(server.port)))).rejects.toThrow();
    expect(server.requests).toEqual([]);
  });

  test.each([
    ['a private address', [['10.0.0.1']]],
    ['a public and a private address', [['93.184.216.34', '127.0.0.1']]],
    ['a mapped address', [['::ffff:127.0.0.1']]],
  ])('to a name that answers with %s never leave', async (_name, answers) => {
    const resolve = answering(...answers);
    const guarded = createGuardedFetch({ ...STRICT, resolve });
    onTestFinished(() => guarded.close());
    await expect(guarded.fetch('http://shop.example/')).rejects.toMatchObject({
      cause: { code: 'tool_address_refused' },
    });
    expect(resolve.asked).toBe(1);
  });

  test('to a name that answers differently the second time go where the check looked, or nowhere', async () => {
    const { server } = await http('plain');
    // Public by its range and routed nowhere; then the loopback, as a rebinding name server answers.
    const resolve = answering(['2a00::1'], ['127.0.0.1']);
    const guarded = createGuardedFetch({ ...STRICT, resolve });
    onTestFinished(() => guarded.close());
    const url = `http://rebind.example:${server.port}/`;
    await expect(guarded.fetch(url, { signal: AbortSignal.timeout(300) })).rejects.toThrow();
    expect(resolve.asked).toBe(1);
    await expect(guarded.fetch(url)).rejects.toMatchObject({ cause: { code: 'tool_address_refused' } });
    expect(resolve.asked).toBe(2);
    expect(server.requests).toEqual([]);
  });

  test('that are redirected are checked at the new place too', async () => {
    const { server } = await http('plain');
    const target = await startHttpServer();
    onTestFinished(() => target.close());
    server.intercept = (_request, response) => {
      response.writeHead(307, { location: target.url.replace('127.0.0.1', 'localhost') }).end();
      return true;
    };
    // Allowed where it begins, followed nowhere else: the origin is another.
    const { catalogue } = await open([
      row('rest', { endpoint: server.url }),
      row('ping', { transport: 'http', endpoint: server.url }),
    ]);
    expect((await run(catalogue, 'rest', {})).status).toBe('failed');
    expect(catalogue.definition('ping')?.unavailable).toBeTruthy();
    expect(target.requests).toEqual([]);
  });

  test('of a catalogue are checked, and the model is not told the address', async () => {
    const { server } = await http('plain');
    const { catalogue, steps } = await open(
      [row('ping', { transport: 'http', endpoint: server.url }), row('rest', { endpoint: server.url })],
      { config: toolsConfig(STRICT) },
    );
    expect(catalogue.definition('ping')?.unavailable).toBe('it is not configured in a permitted way');
    expect(steps[0]?.error.message).toContain('not public');
    const result = await run(catalogue, 'rest', {});
    expect(result.status).toBe('failed');
    expect(result.output).not.toContain('127.0.0.1');
    expect(server.requests).toEqual([]);
  });

  test('that are answered without end are cut off', async () => {
    const { server } = await http('plain');
    server.intercept = (_request, response) => {
      response.writeHead(200, { 'content-type': 'application/json' });
      const pump = () => {
        while (!response.destroyed && response.write('x'.repeat(65_536)));
      };
      response.on('drain', pump);
      pump();
      return true;
    };
    const { catalogue } = await open([row('rest', { endpoint: server.url })]);
    expect((await run(catalogue, 'rest', {})).status).toBe('failed');
  });
});

describe('secrets', () => {
  const tool = (url: string, extra: object = {}) => ({
    endpoint: url,
    headers: { 'x-key': secretNamed('SHOP') },
    ...extra,
  });
  const echo = async () => {
    const { server } = await http('plain');
    server.intercept = (request, response, body) => {
      response.writeHead(200, { 'content-type': 'application/json' });
      response.end(JSON.stringify({ headers: request.headers, url: request.url, body }));
      return true;
    };
    return server;
  };

  test('reach an allowed host and are taken out of what it echoes', async () => {
    const server = await echo();
    const config = toolsConfig({}, { SHOP: ['hush-hush-42', ['127.0.0.1']] });
    const { catalogue } = await open([row('rest', tool(server.url))], { config });
    const result = await run(catalogue, 'rest', {});
    expect(server.requests[0]?.headers['x-key']).toBe('hush-hush-42');
    expect(result.output).toContain('[secret SHOP]');
    expect(JSON.stringify(result)).not.toContain('hush-hush-42');
  });

  test('are taken out in their encoded forms too', async () => {
    const server = await echo();
    const config = toolsConfig({}, { SHOP: ['user:pa"ss wörd', ['127.0.0.1']] });
    const { catalogue } = await open(
      [row('rest', { endpoint: `${server.url}?k=\${secret:SHOP}`, auth_type: 'basic', auth_secret: 'SHOP' })],
      { config },
    );
    const text = JSON.stringify(await run(catalogue, 'rest', {}));
    expect(server.requests[0]?.headers.authorization).toBe(
      `Basic ${Buffer.from('user:pa"ss wörd').toString('base64')}`,
    );
    for (const form of [
      'pa"ss',
      'pa\\\\"ss',
      encodeURIComponent('user:pa"ss wörd'),
      Buffer.from('user:pa"ss wörd').toString('base64'),
    ]) {
      expect(text).not.toContain(form);
    }
  });

  test.each([
    ['another host', { SHOP: ['hush-hush-42', ['shop.example']] as [string, string[]] }],
    ['no host at all', { SHOP: ['hush-hush-42', []] as [string, string[]] }],
    ['another port', { SHOP: ['hush-hush-42', ['127.0.0.1:1']] as [string, string[]] }],
    ['a secret that is not set', {}],
  ])('are not sent when they are meant for %s', async (_name, secrets) => {
    const server = await echo();
    const { catalogue } = await open([row('rest', tool(server.url))], { config: toolsConfig({}, secrets) });
    const result = await run(catalogue, 'rest', {});
    expect(result.status).toBe('failed');
    expect(server.requests).toEqual([]);
    expect(JSON.stringify(result)).not.toContain('hush');
  });

  test('are not sent over plain http beyond the loopback', async () => {
    const config = toolsConfig({}, { SHOP: ['hush-hush-42', ['shop.invalid']] });
    const { catalogue, lines } = await open([row('rest', tool('http://shop.invalid/'))], { config });
    expect((await run(catalogue, 'rest', {})).status).toBe('failed');
    expect(lines.some(({ reason }) => String(reason).includes('plain http'))).toBe(true);
  });

  test.each([
    ['the host', { endpoint: `https://${secretNamed('SHOP')}.example/` }],
    ['credentials in the address', { endpoint: 'https://user:password@shop.example/' }],
    ['a host that an argument chooses', { endpoint: 'https://{host}/x' }],
  ])('and arguments can not be %s', async (_name, config) => {
    const { catalogue } = await open([row('rest', config)], {
      config: toolsConfig({}, { SHOP: ['evil', ['evil.example']] }),
    });
    expect(catalogue.definition('rest')?.unavailable).toBe('it is not set up correctly');
  });

  test('can not be named by the model, by a customer or by other variables', async () => {
    const server = await echo();
    const config = toolsConfig({}, { SHOP: ['hush-hush-42', ['127.0.0.1']] });
    const rows = [
      row('rest', { endpoint: `${server.url}/{id}`, method: 'POST' }),
      row('env', {
        endpoint: server.url,
        headers: { a: ['PATH', 'env:PATH', 'secret:path'].map((name) => `\${${name}}`).join(' ') },
      }),
    ];
    const { catalogue } = await open(rows, { config });
    const result = await run(catalogue, 'rest', { id: secretNamed('SHOP'), other: secretNamed('SHOP') });
    expect(result.status).toBe('succeeded');
    expect(JSON.stringify([result, server.requests.map(({ url, headers }) => [url, headers])])).not.toContain(
      'hush-hush-42',
    );
    expect((await run(catalogue, 'env', {})).status).toBe('failed');
    expect(server.requests).toHaveLength(1);
  });

  test('of a program that floods its log with them do not reach ours', async () => {
    const config = toolsConfig(
      {
        servers: {
          chatty: {
            command: process.execPath,
            args: [STDIO_SERVER, 'chatty'],
            env: { TOKEN: secretNamed('SHOP') },
          },
        },
      },
      { SHOP: ['hush-hush-42', []] },
    );
    const { catalogue, lines } = await open([row('ping', { transport: 'stdio', server: 'chatty' })], {
      config,
    });
    expect((await run(catalogue, 'ping', {})).output).toBe('pong');
    await until(() => lines.some(({ line }) => String(line).includes('[secret SHOP]')), 'the scrubbed line');
    expect(JSON.stringify(lines)).not.toContain('hush-hush-42');
  });

  test('reach an inline command only where the operator says so', async () => {
    const env = { TOKEN: secretNamed('SHOP') };
    const refused = await open([row('whoami', inline('plain', { env }))], {
      config: toolsConfig({}, { SHOP: ['hush-hush-42', ['127.0.0.1']] }),
    });
    expect(refused.catalogue.definition('whoami')?.unavailable).toBeTruthy();
    const allowed = await open([row('whoami', inline('plain', { env }))], {
      config: toolsConfig({}, { SHOP: ['hush-hush-42', ['stdio']] }),
    });
    expect((await run(allowed.catalogue, 'whoami', {})).output).toContain('"TOKEN":"[secret SHOP]"');
  });
});

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

describe('plain REST', () => {
  async function rest(extra: object, status = 200, answer = '{"ok":true}') {
    const { server } = await http('plain');
    const bodies: string[] = [];
    server.intercept = (_request, response, body) => {
      bodies.push(body);
      response.writeHead(status, { 'content-type': 'application/json' }).end(answer);
      return true;
    };
    const { catalogue } = await open([row('rest', { endpoint: `${server.url}/{id}`, ...extra })]);
    return { server, catalogue, bodies };
  }

  test('puts arguments into path, query or body, with the idempotency key', async () => {
    const get = await rest({});
    expect((await run(get.catalogue, 'rest', { id: 'a/b', tags: ['x', 'y'], deep: { a: 1 } })).output).toBe(
      '{"ok":true}',
    );
    expect(get.server.requests[0]?.url).toBe('/mcp/a%2Fb?tags=x&tags=y&deep=%7B%22a%22%3A1%7D');
    const post = await rest({ method: 'post' });
    await run(post.catalogue, 'rest', { id: 7, amount: 5 });
    expect(post.server.requests[0]?.url).toBe('/mcp/7');
    expect(post.bodies).toEqual(['{"amount":5}']);
    expect(post.server.requests[0]?.headers['idempotency-key']).toMatch(/^key-/);
  });

  test.each(['..', '.', ''])('refuses %j as a part of the path', async (id) => {
    const { server, catalogue } = await rest({});
    expect((await run(catalogue, 'rest', { id })).status).toBe('failed');
    expect(server.requests).toEqual([]);
  });

  test.each([
    ['GET', 503, 3, 'failed'],
    ['GET', 500, 3, 'failed'],
    ['POST', 500, 1, 'unknown'],
    ['POST', 502, 1, 'unknown'],
    ['POST', 400, 1, 'failed'],
    ['PUT', 500, 3, 'unknown'],
    ['GET', 404, 1, 'failed'],
  ])('%s answered %i is tried %i times and has %s', async (method, status, tries, outcome) => {
    const { server, catalogue } = await rest(
      { method, params: { retry_count: 2 } },
      status,
      '{"error":"why"}',
    );
    const result = await run(catalogue, 'rest', { id: 1 });
    expect([server.requests.length, result.status]).toEqual([tries, outcome]);
  });

  test('retries carry one idempotency key', async () => {
    const { server, catalogue } = await rest({ method: 'PUT', params: { retry_count: 2 } }, 500);
    await run(catalogue, 'rest', { id: 1 });
    expect(new Set(server.requests.map(({ headers }) => headers['idempotency-key'])).size).toBe(1);
  });

  test('masks card numbers in results', async () => {
    const { catalogue } = await rest({}, 200, '{"card":"4111 1111 1111 1111"}');
    const result = await run(catalogue, 'rest', { id: 1 });
    expect(JSON.stringify(result)).not.toContain('4111 1111');
    expect(result.output).toContain('ending in 1111');
  });
});
