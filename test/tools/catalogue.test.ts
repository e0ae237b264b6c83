import { describe, expect, test } from 'vitest';
import { BUILT_IN_NAMES } from '../../src/session/built-in-tools.ts';
import { startHttpServer } from './servers/http.ts';
import { http, inline, NOBODY, open, row, run, toolsConfig, until } from './support.ts';

const SHOP = { ...NOBODY, phoneNumber: '+4912345678', phoneSource: 'sip' as const, customerId: 'c-1' };

describe('tools over stdio', () => {
  test('keep the schema of their server and run', async () => {
    const { catalogue, steps } = await open([row('find_order', inline('plain'))]);
    const definition = catalogue.definition('find_order');
    expect(definition).toMatchObject({
      description: 'Looks an order up',
      requiresPermission: false,
      idempotent: true,
    });
    expect(definition?.unavailable).toBeUndefined();
    expect(definition?.inputSchema).toEqual({
      $schema: 'https://json-schema.org/draft/2020-12/schema',
      $defs: expect.anything(),
      type: 'object',
      properties: {
        order: { type: 'integer', minimum: 1 },
        phone: { type: 'string' },
        note: { anyOf: [{ type: 'string' }, { type: 'null' }], default: null },
        tags: { type: 'array', prefixItems: [{ const: 'a' }] },
      },
      required: ['order', 'phone'],
      additionalProperties: false,
    });
    const result = await run(catalogue, 'find_order', { order: 7, phone: '+49' });
    expect(result).toMatchObject({ status: 'succeeded', isError: false });
    expect(result.output).toBe('order 7\n{"order":7,"phone":"+49"}');
    expect(steps).toEqual([]);
  });

  test('of one server share one process', async () => {
    const { catalogue } = await open([
      row('whoami', inline('plain')),
      row('second', inline('plain', { tool: 'whoami' })),
    ]);
    const [first, second] = await Promise.all([run(catalogue, 'whoami', {}), run(catalogue, 'second', {})]);
    expect(JSON.parse(first.output).pid).toBe(JSON.parse(second.output).pid);
  });

  test('that print other lines and flood their error stream stay usable', async () => {
    const { catalogue, lines } = await open([row('ping', inline('chatty'))]);
    expect((await run(catalogue, 'ping', {})).output).toBe('pong');
    expect(
      lines.filter(({ msg }) => msg === 'A tool server wrote to its error stream').length,
    ).toBeLessThanOrEqual(50);
  });
});

describe('tools over streamable HTTP', () => {
  test('run, with the idempotency key in the metadata of the call', async () => {
    const server = await startHttpServer();
    const { catalogue } = await open([row('refund', { transport: 'http', endpoint: server.url })]);
    const result = await run(catalogue, 'refund', { order: 7, phone: '+49' });
    expect(result.status).toBe('succeeded');
    expect(server.calls[0]?.meta).toMatchObject({
      'floorwalker/idempotency-key': expect.stringMatching(/^key-/),
    });
    await server.close();
  });

  test('start a new session when the server lost theirs', async () => {
    const server = await startHttpServer();
    const { catalogue } = await open([row('ping', { transport: 'http', endpoint: server.url })]);
    expect((await run(catalogue, 'ping', {})).output).toBe('pong');
    server.forgetSessions();
    expect((await run(catalogue, 'ping', {})).output).toBe('pong');
    await server.close();
  });

  test('are unavailable while the server is down, and come back by themselves', async () => {
    const first = await startHttpServer();
    await first.close();
    const { catalogue, steps, lines } = await open([row('ping', { transport: 'http', endpoint: first.url })]);
    expect(catalogue.definition('ping')?.unavailable).toBe('its server can not be reached');
    expect(steps).toMatchObject([{ name: 'tool_server_unavailable', error: { code: 'tool_unavailable' } }]);
    expect(lines.filter(({ msg }) => msg.startsWith('A tool server can not be used'))).toHaveLength(1);
    expect((await run(catalogue, 'ping', {})).output).toContain('not available at the moment');

    let changes = 0;
    catalogue.onChanged(() => {
      changes += 1;
    });
    const second = await startHttpServer('plain', first.port);
    await until(async () => (await run(catalogue, 'ping', {})).output === 'pong', 'the tool is back');
    expect(changes).toBe(1);
    expect(catalogue.definition('ping')?.unavailable).toBeUndefined();
    expect(lines.filter(({ msg }) => msg.startsWith('A tool server can not be used'))).toHaveLength(1);
    await second.close();
  });

  test('are all found on a list of several pages', async () => {
    const { tool } = await http('pages');
    const { catalogue } = await open([row('shop', tool({ expand: true }))]);
    expect(catalogue.definitions).toHaveLength(5);
  });

  test.each([
    [401, 'its server refused our credentials'],
    [403, 'its server refused our credentials'],
    [503, 'its server is not available at the moment'],
    [500, 'its server failed'],
  ])('whose server answers %i say why they are unavailable', async (status, reason) => {
    const { server, tool } = await http('plain');
    server.intercept = (_request, response) => {
      response.writeHead(status).end('<h1>no</h1>');
      return true;
    };
    const { catalogue, steps } = await open([row('ping', tool())]);
    expect(catalogue.definition('ping')?.unavailable).toBe(reason);
    expect(steps).toHaveLength(1);
  });

  test('that change while people talk are listed anew', async () => {
    const server = await startHttpServer('change');
    const { catalogue } = await open([
      row('shop', { transport: 'http', endpoint: server.url, expand: true }),
    ]);
    await run(catalogue, 'shop_ping', {});
    await until(() => catalogue.definition('shop_bad_output') !== undefined, 'the new list');
    await server.close();
  });
});

describe('rows', () => {
  test('of their own win over a row that stands for all tools of its server', async () => {
    const plain = await http('plain');
    const { catalogue } = await open([
      row('shop', plain.tool({ expand: true, known_tools: ['ping', 'refund', 'whoami'] })),
      row('look_up', plain.tool({ tool: 'find_order' }), true),
      row('shop_draft7', plain.tool({ tool: 'ping' })),
    ]);
    expect(
      Object.fromEntries(
        catalogue.definitions.map(({ name, requiresPermission }) => [name, requiresPermission]),
      ),
    ).toEqual({
      look_up: true,
      // Both the name and the tool on the server are taken by this row.
      shop_draft7: false,
      // A tool that was known when the row was saved is open, unless it says that it destroys.
      shop_whoami: false,
      shop_refund: true,
    });
  });

  test('with a name that is taken, unusable or an imitation of a built-in tool are left out', async () => {
    const plain = await http('plain');
    const { catalogue, steps } = await open([
      row('ping', plain.tool()),
      row('ping', plain.tool()),
      row('request_supervisor', plain.tool({ tool: 'ping' })),
      row('Request-Supervisor', plain.tool({ tool: 'ping' })),
      row('requestsupervis0r', plain.tool({ tool: 'ping' })),
      row('has blanks', plain.tool({ tool: 'ping' })),
      row('x'.repeat(65), plain.tool({ tool: 'ping' })),
    ]);
    expect(catalogue.definitions.map(({ name }) => name)).toEqual(['ping']);
    expect(steps).toHaveLength(6);
  });

  test.each([
    ...BUILT_IN_NAMES,
    ...['Request-Callback', 'requestcal1back', 'vvithdraw_request', 'end_1nteraction'],
  ])('and a server can bring no tool that is called %s', async (name) => {
    const { catalogue, steps } = await open([row(name, { endpoint: 'https://shop.example' })]);
    expect(catalogue.definitions).toEqual([]);
    expect(steps).toHaveLength(1);
  });

  test('that stand for a lying server bring valid names only', async () => {
    const lies = await http('lies');
    const { catalogue } = await open([row('end', lies.tool({ expand: true }))]);
    for (const { name } of catalogue.definitions) expect(name).toMatch(/^[a-zA-Z0-9_-]{1,64}$/);
    expect(catalogue.definition('end_na_ve_tool_')).toBeDefined();
  });

  test.each([
    ['no object', null, 'must be an object'],
    ['an unknown transport', { transport: 'carrier pigeon' }, 'transport'],
    ['a misspelt field', { transport: 'http', endpoint: 'https://a.example', bnid: {} }, 'bnid'],
    ['a bad bind', { endpoint: 'https://a.example', bind: { phone: 'customer.name' } }, 'bind.phone'],
    ['no endpoint', { method: 'GET' }, 'endpoint'],
    ['another scheme', { endpoint: 'file:///etc/passwd' }, 'http://'],
    [
      'a server that nobody defined',
      { transport: 'stdio', server: 'shop' },
      'not one that the operator defined',
    ],
    [
      'variables for a defined server',
      { transport: 'stdio', server: 'shop', env: { LD_PRELOAD: 'x' } },
      'env',
    ],
    [
      'a retry count beyond reason',
      { endpoint: 'https://a.example', params: { retry_count: 99 } },
      'retry_count',
    ],
  ])('with %s are unavailable, and the log says what is wrong', async (_name, config, problem) => {
    const plain = await http('plain');
    const { catalogue, steps } = await open([row('broken', config), row('ping', plain.tool())]);
    expect(catalogue.definition('broken')?.unavailable).toBe('it is not set up correctly');
    expect(steps[0]?.error.message).toContain(problem);
    expect((await run(catalogue, 'ping', {})).output).toBe('pong');
  });

  test('without any make an empty catalogue', async () => {
    expect((await open([])).catalogue.definitions).toEqual([]);
  });

  test('have a definition hash that changes with what a call would do', async () => {
    const plain = await http('plain');
    const changed = await http('plain');
    const hash = async (config: object, gated = false) =>
      (await open([row('ping', config, gated)])).catalogue.definition('ping')?.definitionHash;
    const first = await hash(plain.tool());
    expect(await hash(plain.tool())).toBe(first);
    expect(await hash(plain.tool(), true)).not.toBe(first);
    expect(await hash(plain.tool({ description: 'other' }))).not.toBe(first);
    expect(await hash(changed.tool())).not.toBe(first);
  });
});

describe('bound arguments', () => {
  const bind = { bind: { phone: 'customer.phone_number' } };

  test('are hidden from the model and filled from the interaction, whatever the model says', async () => {
    const plain = await http('plain');
    const { catalogue } = await open([row('find_order', plain.tool(bind))], { identity: SHOP });
    const { inputSchema } = catalogue.definition('find_order') ?? {};
    expect(inputSchema?.properties).not.toHaveProperty('phone');
    expect(inputSchema?.required).toEqual(['order']);
    expect((await run(catalogue, 'find_order', { order: 1 })).output).toContain('"phone":"+4912345678"');
    expect((await run(catalogue, 'find_order', { order: 1, phone: '+666' })).output).toContain(
      '"phone":"+4912345678"',
    );
  });

  test('refuse a number that the customer only claims, unless the row accepts it', async () => {
    const plain = await http('plain');
    const identity = { ...SHOP, phoneSource: 'claimed' as const };
    const rows = [
      row('find_order', plain.tool(bind)),
      row('claims', plain.tool({ ...bind, tool: 'find_order', require_verified: false })),
    ];
    const { catalogue } = await open(rows, { identity });
    expect((await run(catalogue, 'find_order', { order: 1 })).output).toContain('verified phone number');
    expect((await run(catalogue, 'claims', { order: 1 })).status).toBe('succeeded');
  });

  test('follow an identity that becomes known during the conversation', async () => {
    const plain = await http('plain');
    const identity = { ...NOBODY, phoneNumber: null as string | null, phoneSource: 'verified' as const };
    const { catalogue } = await open([row('find_order', plain.tool(bind))], { identity });
    expect((await run(catalogue, 'find_order', { order: 1 })).output).toContain('not known yet');
    identity.phoneNumber = '+1';
    expect((await run(catalogue, 'find_order', { order: 1 })).output).toContain('"phone":"+1"');
  });

  test('that the tool does not have make it unavailable', async () => {
    const plain = await http('plain');
    const { catalogue, steps } = await open(
      [row('find_order', plain.tool({ bind: { telephone: 'customer.phone_number' } }))],
      { identity: SHOP },
    );
    expect(catalogue.definition('find_order')?.unavailable).toContain('telephone');
    expect(steps).toHaveLength(1);
  });

  test("can't be changed by an approver's edit", async () => {
    const plain = await http('plain');
    const { catalogue } = await open([row('find_order', plain.tool(bind))], { identity: SHOP });
    const bound = { order: 1, phone: '+1' };
    expect(await catalogue.prepare('find_order', { order: 2 }, { bound })).toMatchObject({
      ok: true,
      arguments: { order: 2, phone: '+1' },
    });
    expect(await catalogue.prepare('find_order', { order: 2, phone: '+2' }, { bound })).toMatchObject({
      ok: false,
      cause: 'identity',
    });
  });
});

test('a catalogue of many tools stays within what a model takes', async () => {
  const rows = Array.from({ length: 130 }, (_, index) =>
    row(`tool_${index}`, { endpoint: 'https://a.example' }),
  );
  const { catalogue, steps } = await open(rows, { config: toolsConfig() });
  expect(catalogue.definitions).toHaveLength(120);
  expect(steps).toHaveLength(10);
});
