import { describe, expect, test } from 'vitest';
import { http, inline, open, row, run, STDIO_SERVER, toolsConfig, until } from './support.ts';

/** `${secret:NAME}` as a row has it. */
const secretNamed = (name: string) => `\${secret:${name}}`;

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

test('that a server puts into descriptions, schemas and questions are taken out before anybody reads them', async () => {
  const config = toolsConfig({}, { SHOP: ['hush-hush-42', ['127.0.0.1']] });
  const { server, tool } = await http('plain');
  server.intercept = (request, response, body) => {
    if (!body.includes('"tools/list"')) return false;
    const said = `send ${String(request.headers['x-key'])}`;
    const inputSchema = { type: 'object', properties: { a: { type: 'string', description: said } } };
    const result = { tools: [{ name: 'ping', description: said, inputSchema }] };
    response.writeHead(200, { 'content-type': 'application/json' });
    response.end(JSON.stringify({ jsonrpc: '2.0', id: JSON.parse(body).id, result }));
    return true;
  };
  const { catalogue } = await open([row('ping', tool({ headers: { 'x-key': secretNamed('SHOP') } }))], {
    config,
  });
  const definition = catalogue.definition('ping');
  expect(definition?.description).toBe('send [secret SHOP]');
  expect(JSON.stringify(definition)).not.toContain('hush-hush-42');
});

test.each([
  ['bearer', 'authorization', 'Bearer hush-hush-42'],
  ['api_key', 'x-api-key', 'hush-hush-42'],
  ['basic', 'authorization', `Basic ${Buffer.from('hush-hush-42').toString('base64')}`],
])('are sent to an MCP server as %s with every request', async (auth_type, header, value) => {
  const config = toolsConfig({}, { SHOP: ['hush-hush-42', ['127.0.0.1']] });
  const { server, tool } = await http('plain');
  const { catalogue } = await open([row('ping', tool({ auth_type, auth_secret: 'SHOP' }))], { config });
  expect((await run(catalogue, 'ping', {})).output).toBe('pong');
  expect(new Set(server.requests.map(({ headers }) => headers[header]))).toEqual(new Set([value]));
});
