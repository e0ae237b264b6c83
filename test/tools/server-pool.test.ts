import { describe, expect, onTestFinished, test } from 'vitest';
import { openCatalogue } from '../../src/tools/catalogue.ts';
import { ServerPool } from '../../src/tools/server-pool.ts';
import type { AgentToolRow, ToolsConfig } from '../../src/tools/types.ts';
import { startHttpServer } from './servers/http.ts';
import { http, inline, NOBODY, recordingLog, row, run, toolsConfig, until } from './support.ts';

/** The process of a worker: one pool, and conversations that come and go. */
function process_(config: Partial<ToolsConfig> = {}) {
  const { log, lines } = recordingLog();
  const settings = toolsConfig(config);
  const pool = new ServerPool({ config: settings, log });
  onTestFinished(() => pool.close());
  let interactions = 0;
  const join = async (rows: AgentToolRow[], businessId = NOBODY.businessId) => {
    interactions += 1;
    const identity = { ...NOBODY, businessId, interactionId: `interaction-${interactions}` };
    const deps = { config: settings, log, pool, identity, onStep: () => undefined };
    const catalogue = await openCatalogue(rows, deps);
    onTestFinished(() => catalogue.close());
    return catalogue;
  };
  return { pool, join, lines };
}

const pidOf = async (catalogue: Parameters<typeof run>[0]): Promise<number> =>
  JSON.parse((await run(catalogue, 'whoami', {})).output).pid;
const ends = (pid: number) => {
  try {
    process.kill(pid, 0);
    return false;
  } catch {
    return true;
  }
};

describe('a connection', () => {
  test('is shared by the conversations of a business, and never with another business', async () => {
    const { join, pool } = process_();
    const rows = [row('whoami', inline('plain'))];
    const [one, two, other] = await Promise.all([join(rows), join(rows), join(rows, 'another-business')]);
    const pids = await Promise.all([one, two, other].map(pidOf));
    expect(pids[0]).toBe(pids[1]);
    expect(pids[2]).not.toBe(pids[0]);
    expect(pool.size).toBe(2);
  });

  test('is not shared between identities: other headers, another connection', async () => {
    const { join, pool } = process_();
    const { tool } = await http('plain');
    await join([
      row('a', tool({ tool: 'ping' })),
      row('b', tool({ tool: 'ping', headers: { 'x-shop': '2' } })),
    ]);
    expect(pool.size).toBe(2);
  });

  test('of a server that keeps state is one for each conversation where the row says so', async () => {
    const { join } = process_();
    const rows = [row('whoami', inline('plain', { interactive: true }))];
    const [one, two] = await Promise.all([join(rows), join(rows)]);
    expect(await pidOf(one)).not.toBe(await pidOf(two));
  });

  test('stays warm between conversations and ends when nobody has used it for a while', async () => {
    const { join, pool } = process_({ serverIdleMs: 300 });
    const first = await join([row('whoami', inline('plain'))]);
    const pid = await pidOf(first);
    await first.close();
    const second = await join([row('whoami', inline('plain'))]);
    expect(await pidOf(second)).toBe(pid);
    await second.close();
    await until(() => ends(pid), 'the server has ended');
    expect(pool.size).toBe(0);
  });

  test('is asked for its tools once, however many conversations join', async () => {
    const { join } = process_();
    const { server, tool } = await http('plain');
    let lists = 0;
    server.intercept = (_request, _response, body) => {
      if (body.includes('"tools/list"')) lists += 1;
      return false;
    };
    const rows = [row('shop', tool({ expand: true }))];
    await Promise.all(Array.from({ length: 20 }, () => join(rows)));
    await join(rows);
    expect(lists).toBe(1);
  });

  test('closes with the process, calls under way and children included', async () => {
    const { join, pool } = process_();
    const catalogue = await join([row('whoami', inline('stubborn'))]);
    const pid = await pidOf(catalogue);
    await pool.close();
    await until(() => ends(pid), 'the server has ended');
    expect((await run(catalogue, 'whoami', {})).status).not.toBe('succeeded');
  });
});

describe('a server that is down', () => {
  test('is one line in the log for all conversations, and comes back by itself to all of them', async () => {
    const { join, lines } = process_();
    const server = await startHttpServer('plain');
    const rows = [row('ping', { transport: 'http', endpoint: server.url })];
    await server.close();
    const catalogues = await Promise.all(Array.from({ length: 10 }, () => join(rows)));
    for (const catalogue of catalogues) expect(catalogue.definition('ping')?.unavailable).toBeDefined();
    expect(lines.filter(({ msg }) => msg.includes('can not be used'))).toHaveLength(1);
    const again = await startHttpServer('plain', server.port);
    onTestFinished(() => again.close());
    await until(
      () => catalogues.every((catalogue) => catalogue.definition('ping')?.unavailable === undefined),
      'the tools are back',
    );
    expect(lines.filter(({ msg }) => msg.includes('can be reached again'))).toHaveLength(1);
  });

  test('that ended is started again before anybody calls it', async () => {
    const { join, lines } = process_();
    const catalogue = await join([row('whoami', inline('plain'))]);
    const pid = await pidOf(catalogue);
    process.kill(pid, 'SIGKILL');
    await until(() => lines.some(({ msg }) => msg.includes('has ended')), 'its end is noticed');
    expect(await pidOf(catalogue)).not.toBe(pid);
  });
});

describe('a server that does not answer', () => {
  test('is refused at once after some calls, without a wait for each customer', async () => {
    const { join } = process_();
    const { tool } = await http('hang_on_call');
    const catalogue = await join([row('refund', tool({ params: { timeout: 0.2 } }))]);
    const args = { order: 1, phone: '+49' };
    for (let call = 0; call < 5; call += 1)
      expect((await run(catalogue, 'refund', args)).status).toBe('unknown');
    const refused = await run(catalogue, 'refund', args);
    // It was not sent, so nothing is unknown about it.
    expect(refused.status).toBe('failed');
    expect(refused.output).toContain('does not answer at the moment');
  });

  test('does not keep another server waiting', async () => {
    const { join } = process_({ serverConcurrency: 2 });
    const [slow, fast] = await Promise.all([http('hang_on_call'), http('plain')]);
    const catalogue = await join([
      row('slow', slow.tool({ tool: 'whoami' })),
      row('fast', fast.tool({ tool: 'ping' })),
    ]);
    const stop = new AbortController();
    const hanging = Array.from({ length: 6 }, () => run(catalogue, 'slow', {}, stop.signal));
    const startedAtMs = performance.now();
    expect((await run(catalogue, 'fast', {})).status).toBe('succeeded');
    expect(performance.now() - startedAtMs).toBeLessThan(1_000);
    stop.abort(new Error('enough'));
    await Promise.all(hanging);
  });

  test('gets no more calls at once than it may, and those that were never sent are not unknown', async () => {
    const { join } = process_({ serverConcurrency: 2 });
    const { server, tool } = await http('hang_on_call');
    const catalogue = await join([
      row('refund', tool({ params: { timeout: 2 } })),
      row('hasty', tool({ tool: 'refund', params: { timeout: 0.4 } })),
    ]);
    const args = { order: 1, phone: '+49' };
    const names = ['refund', 'refund', 'hasty', 'hasty'];
    const results = await Promise.all(names.map((name) => run(catalogue, name, args)));
    expect(server.calls).toHaveLength(2);
    expect(results.map(({ status }) => status)).toEqual(['unknown', 'unknown', 'failed', 'failed']);
  });
});

test('a program that takes more memory than it may is stopped, and the conversation goes on', async () => {
  const { join, lines } = process_({ serverMaxMemoryMb: 48 });
  const catalogue = await join([row('ping', inline('plain'))]);
  await until(() => lines.some(({ msg }) => msg.includes('has ended')), 'it is stopped', 15_000);
  expect(lines.some(({ line }) => String(line).includes('more memory than it may'))).toBe(true);
  expect(catalogue.definitions).toHaveLength(1);
});
