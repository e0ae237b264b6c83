import { describe, expect, onTestFinished, test } from 'vitest';
import { RepeatedLines } from '../../src/tools/repeated-lines.ts';
import { startHttpServer } from './servers/http.ts';
import { http, inline, open, recordingLog, row, run, until } from './support.ts';

describe('a server in trouble', () => {
  test('that never answers costs the join its limit and no more', async () => {
    const { tool } = await http('plain');
    const startedAtMs = performance.now();
    const { catalogue, steps } = await open(
      [row('ping', inline('hang_on_start')), row('other', tool({ tool: 'ping' }))],
      {
        connectTimeoutMs: 5_000,
      },
    );
    expect(performance.now() - startedAtMs).toBeLessThan(20_000);
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

  test('that is gone for a while is one line when it goes and one when it is back, whatever is called meanwhile', async () => {
    const { server, tool } = await http('plain');
    const { catalogue, lines } = await open([row('ping', tool()), row('whoami', tool())]);
    const told = (words: string) => lines.filter(({ level, msg }) => level >= 30 && msg.includes(words));
    await server.close();
    await until(async () => {
      await Promise.all(['ping', 'whoami', 'ping'].map((name) => run(catalogue, name, {})));
      return told('can not be used').length > 0;
    }, 'it is known to be gone');
    for (let nth = 0; nth < 10; nth += 1) await run(catalogue, 'ping', {});
    const back = await startHttpServer('plain', server.port);
    onTestFinished(() => back.close());
    await until(() => told('reached again').length > 0, 'it is back', 60_000);
    expect(told('can not be used')).toHaveLength(1);
    // For each tool the call that found out.
    expect(told('A tool call failed').length).toBeLessThanOrEqual(2);
    expect(await run(catalogue, 'ping', {})).toMatchObject({ status: 'succeeded' });
    expect(told('reached again')).toHaveLength(1);
  });
});

test('trouble that goes on is told again ever more rarely, and at once when it is new', () => {
  const { log, lines } = recordingLog();
  let nowMs = 0;
  const repeated = new RepeatedLines(log, () => nowMs);
  const told: number[] = [];
  for (; nowMs < 24 * 3_600_000; nowMs += 10_000) {
    const before = lines.length;
    repeated.write('warn', 'down', {}, 'A server is down');
    if (lines.length > before) told.push(nowMs / 60_000);
  }
  expect(told.slice(0, 5)).toEqual([0, 1, 5, 21, 81]);
  expect(told.length).toBeLessThan(30);
  expect(lines[2]).toMatchObject({ repeated: 23 });
  repeated.forget('down');
  repeated.write('warn', 'down', {}, 'A server is down');
  expect(lines).toHaveLength(told.length + 1);
  // After a long silence it is another trouble.
  nowMs += 24 * 3_600_000;
  repeated.write('warn', 'down', {}, 'A server is down');
  nowMs += 60_000;
  repeated.write('warn', 'down', {}, 'A server is down');
  expect(lines).toHaveLength(told.length + 3);
});
