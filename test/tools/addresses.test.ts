import { describe, expect, onTestFinished, test } from 'vitest';
import { isPublicAddress, type ResolveAddresses } from '../../src/tools/address-check.ts';
import { createGuardedFetch } from '../../src/tools/guarded-fetch.ts';
import { startHttpServer } from './servers/http.ts';
import { http, open, row, run, toolsConfig } from './support.ts';

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
