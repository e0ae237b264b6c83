import { describe, expect, test } from 'vitest';
import { startHttpServer } from './servers/http.ts';
import { http, open, row, run, until } from './support.ts';

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

/** A server that takes each call and breaks off before its answer so many times. @returns the keys of what arrived */
async function breaking(times: number) {
  const { server, tool } = await http('idempotent');
  const keys: unknown[] = [];
  server.intercept = (_, response, body) => {
    const { method, params } = body === '' ? {} : JSON.parse(body);
    if (method !== 'tools/call') return false;
    keys.push(params._meta['floorwalker/idempotency-key']);
    if (keys.length > times) return false;
    response.destroy();
    return true;
  };
  return { keys, tool };
}

describe('a call whose server breaks off before it answers', () => {
  const ORDER = { order: 1, phone: '+49' };

  test.each([
    ['settle', 'its server calls it idempotent', {}, {}],
    ['find_order', 'its server says that it only reads', {}, ORDER],
    ['refund', 'its row calls it idempotent', { idempotent: true }, ORDER],
  ])('%s is made again under the same key: %s', async (name, _, extra, args) => {
    const { keys, tool } = await breaking(2);
    const { catalogue } = await open([row(name, tool({ ...extra, params: { retry_count: 2 } }))]);
    expect(await run(catalogue, name, args)).toMatchObject({ status: 'succeeded' });
    expect(keys).toEqual(Array(3).fill(expect.stringMatching(/^key-/)));
    expect(new Set(keys).size).toBe(1);
  });

  test.each([
    ['refund', 'nobody calls it idempotent', { params: { retry_count: 2 } }, 1, 'unknown'],
    ['find_order', 'its row denies it', { idempotent: false, params: { retry_count: 2 } }, 1, 'failed'],
    ['find_order', 'no retries are configured', {}, 1, 'failed'],
    ['find_order', 'so many are, and no more', { params: { retry_count: 1 } }, 2, 'failed'],
  ])('%s is not made again: %s', async (name, _, config, arrived, status) => {
    const { keys, tool } = await breaking(9);
    const { catalogue } = await open([row(name, tool(config))]);
    expect(await run(catalogue, name, ORDER)).toMatchObject({ status, isError: true });
    expect(keys).toHaveLength(arrived);
  });
});
