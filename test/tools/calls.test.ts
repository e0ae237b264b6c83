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
