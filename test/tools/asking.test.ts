import { fileURLToPath } from 'node:url';
import { describe, expect, onTestFinished, test } from 'vitest';
import { openCatalogue } from '../../src/tools/catalogue.ts';
import { ServerPool } from '../../src/tools/server-pool.ts';
import { readQuestion } from '../../src/tools/server-requests.ts';
import type { CallHost } from '../../src/tools/types.ts';
import { NOBODY, recordingLog, row, run, toolsConfig, until } from './support.ts';

const ASKING = fileURLToPath(new URL('./servers/asking.ts', import.meta.url));

function process_() {
  const { log, lines } = recordingLog();
  const config = toolsConfig({
    servers: {
      asking: { command: process.execPath, args: [ASKING], env: {}, roots: ['file:///srv/catalogue'] },
    },
  });
  const pool = new ServerPool({ config, log });
  onTestFinished(() => pool.close());
  const join = async (host: CallHost, interactionId: string, extra: object = {}) => {
    const names = ['book', 'login', 'pay', 'think', 'work', 'folders', 'grumble'];
    const rows = names.map((name) => row(name, { transport: 'stdio', server: 'asking', ...extra }));
    const identity = { ...NOBODY, interactionId };
    const catalogue = await openCatalogue(rows, {
      config,
      log,
      pool,
      identity,
      host,
      onStep: () => undefined,
    });
    onTestFinished(() => catalogue.close());
    return catalogue;
  };
  return { join, lines };
}

const answering = (day: string): CallHost => ({ ask: async () => ({ action: 'accept', content: { day } }) });

describe('a server that asks the customer', () => {
  test('gets the answer of the conversation whose call it is', async () => {
    const { join } = process_();
    const [one, two] = [await join(answering('monday'), 'one'), await join(answering('tuesday'), 'two')];
    expect((await run(one, 'book', {})).output).toContain('monday');
    expect((await run(two, 'book', {})).output).toContain('tuesday');
  });

  test('over a shared stdio connection gets none while nobody can tell whose call it is', async () => {
    const { join } = process_();
    let asked = 0;
    const held = Promise.withResolvers<{ action: 'cancel' }>();
    const holding: CallHost = {
      ask: () => {
        asked += 1;
        return held.promise;
      },
    };
    const [one, two] = [await join(holding, 'one'), await join(answering('tuesday'), 'two')];
    const first = run(one, 'book', {});
    while (asked === 0) await new Promise((resolve) => setTimeout(resolve, 5));
    expect((await run(two, 'book', {})).output).toContain('cancel');
    held.resolve({ action: 'cancel' });
    await first;
  });

  test('has a connection for each conversation where the row says so, and then it is always told', async () => {
    const { join } = process_();
    const extra = { interactive: true };
    const [one, two] = [
      await join(answering('monday'), 'one', extra),
      await join(answering('tuesday'), 'two', extra),
    ];
    const results = await Promise.all([run(one, 'book', {}), run(two, 'book', {})]);
    expect(results.map(({ output }) => output)).toEqual([
      expect.stringContaining('monday'),
      expect.stringContaining('tuesday'),
    ]);
  });

  test('never for a secret', async () => {
    const { join } = process_();
    let asked = 0;
    const host: CallHost = {
      ask: async () => {
        asked += 1;
        return { action: 'accept', content: {} };
      },
    };
    const catalogue = await join(host, 'one');
    expect((await run(catalogue, 'login', {})).output).toContain('decline');
    expect((await run(catalogue, 'pay', {})).output).toContain('decline');
    expect(asked).toBe(0);
  });

  test.each([
    'password',
    'your PIN',
    'cardNumber',
    'card_number',
    'one-time code',
    'IBAN',
    'CVC',
    'API key',
    'account number',
  ])('for "%s" is declined', (field) => {
    const requestedSchema = { type: 'object', properties: { [field]: { type: 'string' } } };
    expect(readQuestion({ message: 'Tell me', requestedSchema })).toMatchObject({ ok: false });
    const titled = { type: 'object', properties: { x: { type: 'string', title: field } } };
    expect(readQuestion({ message: 'Tell me', requestedSchema: titled })).toMatchObject({ ok: false });
    const plain = { type: 'object', properties: { x: { type: 'string' } } };
    expect(readQuestion({ message: `Give me the ${field}`, requestedSchema: plain })).toMatchObject({
      ok: false,
    });
  });

  test.each(['day', 'shipping address', 'spinach', 'order number', 'postcode'])(
    'for "%s" is asked',
    (field) => {
      const requestedSchema = { type: 'object', properties: { [field]: { type: 'string' } } };
      expect(readQuestion({ message: `Which ${field}?`, requestedSchema })).toMatchObject({ ok: true });
    },
  );
});

test('the model is asked only where the row allows it, and for no more than the bound', async () => {
  const { join } = process_();
  const wanted: number[] = [];
  const host: CallHost = {
    sample: async (_callId, { maxTokens }) => {
      wanted.push(maxTokens);
      return { text: 'yes', model: 'm' };
    },
  };
  expect((await run(await join(host, 'one'), 'think', {})).status).toBe('failed');
  expect(wanted).toEqual([]);
  expect((await run(await join(host, 'two', { sampling: true }), 'think', {})).output).toContain('yes');
  expect(wanted).toEqual([500]);
});

test('a server is told the folders that the operator lists, and its progress is heard', async () => {
  const { join } = process_();
  const percents: number[] = [];
  const catalogue = await join({ progress: (_callId, { progress }) => void percents.push(progress) }, 'one');
  expect((await run(catalogue, 'folders', {})).output).toContain('file:///srv/catalogue');
  await run(catalogue, 'work', { ms: 400 });
  // Those that arrive together with the result are overtaken by it.
  expect(percents).toEqual([1, 2, 3, 4].slice(0, Math.max(1, percents.length)));
});

test("a server's own log is counted in ours, its words are for debugging only, and chatter is not sent at all", async () => {
  const { join, lines } = process_();
  expect((await run(await join({}, 'one'), 'grumble', {})).output).toContain('done');
  await until(
    () => lines.some(({ msg }) => msg === 'A tool server reports trouble of its own'),
    'its trouble',
  );
  const about = lines.filter((line) => JSON.stringify(line).includes('Jane'));
  expect(about.map(({ level, serverLevel }) => [level, serverLevel])).toEqual([[20, 'error']]);
  expect(JSON.stringify(lines)).not.toContain('all is well');
});
