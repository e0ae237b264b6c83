import { describe, expect, test } from 'vitest';
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

describe('a server in trouble', () => {
  test('that never answers costs the join its limit and no more', async () => {
    const { tool } = await http('plain');
    const startedAtMs = performance.now();
    const { catalogue, steps } = await open(
      [row('ping', inline('hang_on_start')), row('other', tool({ tool: 'ping' }))],
      {
        connectTimeoutMs: 1_000,
      },
    );
    expect(performance.now() - startedAtMs).toBeLessThan(8_000);
    expect(catalogue.definition('ping')?.unavailable).toBe('it did not answer in time');
    expect(steps).toHaveLength(1);
    expect((await run(catalogue, 'other', {})).output).toBe('pong');
  });

  test('that is slow to start brings its tools when it is there', async () => {
    const { catalogue } = await open([row('ping', inline('plain'))], { connectTimeoutMs: 20 });
    expect(catalogue.definition('ping')?.unavailable).toBe('it did not answer in time');
    const { promise: changed, resolve } = Promise.withResolvers<void>();
    catalogue.onChanged(resolve);
    await changed;
    expect(catalogue.definition('ping')?.unavailable).toBeUndefined();
  });

  test.each([
    ['a program that does not exist', { transport: 'stdio', command: '/no/such/program' }],
    ['a program that ends at once', inline('dies_at_once')],
    ['a name that does not resolve', { transport: 'http', endpoint: 'http://no-such-host.invalid/mcp' }],
  ])('%s is a tool that is unavailable, a step and a log line', async (_name, config) => {
    const { catalogue, steps, lines } = await open([row('ping', config)]);
    expect(catalogue.definitions).toMatchObject([{ name: 'ping', unavailable: expect.any(String) }]);
    expect(steps).toHaveLength(1);
    expect(lines.filter(({ level }) => level === 40)).toHaveLength(1);
    expect((await run(catalogue, 'ping', {})).output).toContain('Not run');
  });

  test('that dies in a call leaves its outcome unknown, and is started again for the next', async () => {
    const { catalogue } = await open([
      row('refund', inline('die_on_call')),
      row('ping', inline('die_on_call')),
    ]);
    const died = await run(catalogue, 'refund', { order: 1, phone: '+49' });
    expect(died).toMatchObject({ status: 'unknown', isError: true });
    expect(died.output).toContain('may or may not');
    // Reading has no effect to be unsure of.
    expect(await run(catalogue, 'ping', {})).toMatchObject({ status: 'failed' });
  });

  test('that breaks the connection in a call is noticed at once, not at the timeout', async () => {
    const { server, tool } = await http('hang_on_call');
    const { catalogue } = await open([row('refund', tool({ params: { timeout: 60 } }))]);
    const running = run(catalogue, 'refund', { order: 1, phone: '+49' });
    await until(() => server.calls.length === 1, 'the call is running');
    server.breakConnections();
    expect((await running).status).toBe('unknown');
  });

  test('that floods is stopped, and memory stays bounded', async () => {
    const { catalogue, lines } = await open([row('ping', inline('flood'))]);
    const before = process.memoryUsage().rss;
    const result = await run(catalogue, 'ping', {});
    expect(result.status).toBe('failed');
    // 400 MB are on their way; what the process takes for itself differs by tens of megabytes from run to run.
    expect(process.memoryUsage().rss - before).toBeLessThan(200 * 1024 * 1024);
    expect(lines.some(({ msg }) => msg.includes('floods'))).toBe(true);
  });

  test('that answers with no result is an unknown outcome for a change and a failure for a look-up', async () => {
    const { catalogue } = await open([
      row('refund', inline('not_a_result')),
      row('find_order', inline('not_a_result')),
    ]);
    expect((await run(catalogue, 'refund', { order: 1, phone: '+49' })).status).toBe('unknown');
    expect((await run(catalogue, 'find_order', { order: 1, phone: '+49' })).status).toBe('failed');
  });

  test('that lies about its schemas loses those tools and keeps the others', async () => {
    const { catalogue, steps } = await open([
      row('ping', inline('lies')),
      ...['no_object', 'bad_ref', 'bad_keyword', 'bad_output', 'missing'].map((name) =>
        row(name, inline('lies')),
      ),
    ]);
    expect(catalogue.definition('ping')?.unavailable).toBeUndefined();
    for (const name of ['no_object', 'bad_ref', 'bad_keyword', 'missing']) {
      expect(catalogue.definition(name)?.unavailable, name).toBeTruthy();
      expect((await run(catalogue, name, {})).status).toBe('refused');
    }
    expect(catalogue.definition('bad_output')?.unavailable).toBeUndefined();
    expect(steps.length).toBeGreaterThanOrEqual(3);
  });
});

describe('calls', () => {
  test('end at the timeout of their tool, and the server is told', async () => {
    const server = await startHttpServer('hang_on_call');
    const config = { transport: 'http', endpoint: server.url, params: { timeout: 0.3 } };
    const { catalogue } = await open([row('refund', config), row('ping', config)]);
    const [refund, ping] = await Promise.all([
      run(catalogue, 'refund', { order: 1, phone: '+49' }),
      run(catalogue, 'ping', {}),
    ]);
    expect(refund.status).toBe('unknown');
    expect(ping).toMatchObject({
      status: 'failed',
      output: expect.stringContaining('did not answer in time'),
    });
    await until(() => server.cancelled === 2, 'both cancellations');
    await server.close();
  });

  test('can be stopped', async () => {
    const hang_on_call = await http('hang_on_call');
    const { catalogue } = await open([row('refund', hang_on_call.tool())]);
    const stop = new AbortController();
    const running = run(catalogue, 'refund', { order: 1, phone: '+49' }, stop.signal);
    setImmediate(() => stop.abort(new Error('the customer left')));
    expect((await running).status).toBe('unknown');
  });

  test.each([
    [{ order: 'seven', phone: '+49' }, '"order" must be integer'],
    [{ phone: '+49' }, "must have required property 'order'"],
    [{ order: 1, phone: '+49', extra: 1 }, 'must not have "extra"'],
    [{ order: 0, phone: '+49' }, '"order" must be >= 1'],
    ['[1]', 'not a JSON object'],
    [null, 'not a JSON object'],
  ])('with arguments %j are refused before anything runs', async (args, problem) => {
    const server = await startHttpServer();
    const { catalogue } = await open([row('refund', { transport: 'http', endpoint: server.url })]);
    const result = await run(catalogue, 'refund', args);
    expect(result.status).toBe('refused');
    expect(result.output).toContain(problem);
    expect(server.calls).toEqual([]);
    await server.close();
  });

  test('are checked against draft-07 schemas too, formats included', async () => {
    const plain = await http('plain');
    const { catalogue } = await open([row('draft7', plain.tool())]);
    expect((await run(catalogue, 'draft7', { at: 'tomorrow' })).output).toContain('must match format "date"');
    expect((await run(catalogue, 'draft7', { at: '2026-01-31' })).status).toBe('succeeded');
  });

  test('of unknown tools are answered with those there are', async () => {
    const plain = await http('plain');
    const { catalogue } = await open([row('ping', plain.tool())]);
    expect((await run(catalogue, 'pong', {})).output).toContain('You have: ping.');
  });

  test('with results too long for a conversation are cut with a note, and kept for the trace', async () => {
    const big_result = await http('big_result');
    const { catalogue } = await open([row('ping', big_result.tool())]);
    const result = await run(catalogue, 'ping', {});
    expect(result.output.length).toBeLessThan(8_300);
    expect(result.output).toContain('the first 8000 of 300000 characters');
    expect(result.full).toMatchObject({ truncated: true, bytes: expect.any(Number) });
  });

  test('with pictures, links, files and structured content become text', async () => {
    const rich = await http('rich');
    const { catalogue } = await open([row('ping', rich.tool())]);
    const result = await run(catalogue, 'ping', {});
    expect(result.output.split('\n')).toEqual([
      'Two things',
      "[image, image/png, 1 kB, can't be shown here]",
      '[Invoice: https://shop.example/1]',
      'inside',
      "[hologram, can't be shown here]",
      '{"total":59.9}',
    ]);
    expect(result.full).toMatchObject({ structuredContent: { total: 59.9 } });
  });

  test('that the tool itself calls failed have failed', async () => {
    const error = await http('error');
    const { catalogue } = await open([row('refund', error.tool())]);
    const result = await run(catalogue, 'refund', { order: 1, phone: '+49' });
    expect(result).toMatchObject({
      status: 'failed',
      isError: true,
      output: 'The tool reported an error: The order is locked',
    });
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
