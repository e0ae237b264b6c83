import { type ChildProcess, spawn } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { freeTcpPort } from '../../src/embedded/ports.ts';
import { openCatalogue } from '../../src/tools/catalogue.ts';
import type { CallHost, ToolProgress } from '../../src/tools/types.ts';
import { NOBODY, recordingLog, row, run, toolsConfig, until } from './support.ts';

const EVERYTHING = fileURLToPath(
  import.meta.resolve('@modelcontextprotocol/server-everything/dist/index.js'),
);
const TRANSPORTS = ['stdio', 'streamableHttp', 'sse'] as const;

const children: ChildProcess[] = [];
const ports = { streamableHttp: 0, sse: 0 };

beforeAll(async () => {
  for (const transport of ['streamableHttp', 'sse'] as const) {
    const port = await freeTcpPort();
    ports[transport] = port;
    const child = spawn(process.execPath, [EVERYTHING, transport], {
      env: { PATH: process.env.PATH, PORT: String(port) },
      stdio: 'ignore',
    });
    children.push(child);
    const answers = () =>
      fetch(`http://127.0.0.1:${port}/mcp`).then(
        async (answer) => {
          await answer.body?.cancel();
          return true;
        },
        () => false,
      );
    await until(answers, `the server over ${transport}`, 30_000);
  }
}, 90_000);

afterAll(() => {
  for (const child of children) child.kill('SIGKILL');
});

function configOf(transport: (typeof TRANSPORTS)[number]): object {
  const traits = { expand: true, sampling: true };
  if (transport === 'stdio')
    return { transport: 'stdio', command: process.execPath, args: [EVERYTHING, 'stdio'], ...traits };
  const path = transport === 'sse' ? 'sse' : 'mcp';
  return { transport: 'http', endpoint: `http://127.0.0.1:${ports[transport]}/${path}`, ...traits };
}

describe.each(TRANSPORTS)('the reference server over %s', (transport) => {
  async function open(host: CallHost = {}) {
    const { log } = recordingLog();
    const config = toolsConfig({ defaultTimeoutMs: 20_000 });
    const catalogue = await openCatalogue([row('e', configOf(transport))], {
      config,
      identity: NOBODY,
      log,
      host,
      onStep: () => undefined,
      connectTimeoutMs: 30_000,
    });
    return catalogue;
  }

  test('lists its tools, and results of every kind become words', async () => {
    const catalogue = await open();
    try {
      const names = catalogue.definitions.map(({ name }) => name);
      expect(names).toEqual(expect.arrayContaining(['e_echo', 'e_get-sum', 'e_get-tiny-image']));
      expect(catalogue.definitions.filter(({ unavailable }) => unavailable !== undefined)).toEqual([]);
      expect((await run(catalogue, 'e_echo', { message: 'hello' })).output).toContain('hello');
      expect((await run(catalogue, 'e_get-sum', { a: 2, b: 3 })).output).toContain('5');
      expect((await run(catalogue, 'e_get-tiny-image', {})).output).toMatch(/\[image, image\/png, \d+ kB/);
      const structured = await run(catalogue, 'e_get-structured-content', { location: 'New York' });
      expect(structured.status).toBe('succeeded');
      expect(structured.output).toMatch(/temperature/);
    } finally {
      await catalogue.close();
    }
  });

  test('tells its progress, and may ask the customer and the model', async () => {
    const progress: ToolProgress[] = [];
    const asked: string[] = [];
    const catalogue = await open({
      progress: (_callId, value) => progress.push(value),
      ask: async (_callId, question) => {
        asked.push(question.message);
        return { action: 'decline' };
      },
      sample: async (_callId, request) => ({ text: `sampled ${request.messages.length}`, model: 'test' }),
    });
    try {
      const long = await run(catalogue, 'e_trigger-long-running-operation', { duration: 1, steps: 4 });
      expect(long.status).toBe('succeeded');
      // Those that arrive together with the result are overtaken by it.
      expect(progress.length).toBeGreaterThanOrEqual(1);
      expect(progress[0]).toMatchObject({ progress: 1, total: 4 });
      const sampled = await run(catalogue, 'e_trigger-sampling-request', { prompt: 'hi', maxTokens: 50 });
      expect(sampled.output).toContain('sampled');
      const names = catalogue.definitions.map(({ name }) => name);
      if (names.includes('e_trigger-elicitation-request')) {
        await run(catalogue, 'e_trigger-elicitation-request', {});
        // Its form wants more than a conversation asks for, so that it is declined or put to the customer.
        expect(asked.length).toBeLessThanOrEqual(1);
      }
    } finally {
      await catalogue.close();
    }
  });
});
