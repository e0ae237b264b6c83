import { describe, expect, test } from 'vitest';
import { http, open, row, run } from './support.ts';

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
