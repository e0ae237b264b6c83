import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, readFileSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';

const ROOT = new URL('../../', import.meta.url);
const read = (path: string) => readFileSync(new URL(path, ROOT), 'utf8');

interface Instruction {
  readonly stage: string;
  readonly name: string;
  readonly text: string;
}

/** The instructions of the Dockerfile with continued lines joined and comments dropped, as a builder reads them. */
function readInstructions(): Instruction[] {
  const lines = read('Dockerfile')
    .split('\n')
    .filter((line) => !/^\s*(#|$)/.test(line));
  const joined = lines
    .join('\n')
    .replace(/\\\n\s*/g, ' ')
    .split('\n');
  let stage = '';
  return joined.map((line) => {
    const [, name = '', text = ''] = /^(\w+)\s+(.*)$/.exec(line) ?? [];
    if (name === 'FROM') stage = / AS (\w+)/.exec(text)?.[1] ?? text;
    return { stage, name, text };
  });
}

/** Whether a path reaches the builder; later patterns of a .dockerignore win over earlier ones. */
function isInContext(path: string): boolean {
  let included = true;
  for (const line of read('.dockerignore').split('\n')) {
    if (line === '' || line.startsWith('#')) continue;
    const pattern = line
      .replace(/^!/, '')
      .replaceAll('.', '\\.')
      .replaceAll('**/', '.*')
      .replace(/(?<!\.)\*/g, '[^/]*');
    if (new RegExp(`^${pattern}(/.*)?$`).test(path)) included = line.startsWith('!');
  }
  return included;
}

const instructions = readInstructions();
const finalStage = instructions.findLast(({ name }) => name === 'FROM')?.stage;
const final = instructions.filter(({ stage }) => stage === finalStage);

describe('the Dockerfile', () => {
  it('copies only what exists and reaches the builder', () => {
    const sources = instructions
      .filter(({ name, text }) => name === 'COPY' && !text.startsWith('--from'))
      .flatMap(({ text }) => text.split(/\s+/).slice(0, -1));
    expect(sources).toEqual(
      expect.arrayContaining(['src', 'migrations', 'prompts', 'agents', 'tools', 'package-lock.json']),
    );
    for (const source of sources) {
      expect(existsSync(new URL(source, ROOT)), source).toBe(true);
      expect(isInContext(source), `${source} in .dockerignore`).toBe(true);
    }
  });

  it('keeps settings, history and other people’s packages out of the build', () => {
    for (const path of [
      '.env',
      '.git',
      'node_modules',
      '.floorwalker',
      'test',
      '.cache',
      'scripts/setup.mjs',
    ]) {
      expect(isInContext(path), path).toBe(false);
    }
  });

  it('copies from stages that exist', () => {
    const stages = new Set(instructions.map(({ stage }) => stage));
    for (const { text } of instructions.filter(({ text }) => text.startsWith('--from='))) {
      expect(stages).toContain(/--from=(\w+)/.exec(text)?.[1]);
    }
  });

  it('runs as a numbered user that is not root, after everything that needs root', () => {
    const user = final.findLast(({ name }) => name === 'USER');
    expect(user?.text).toMatch(/^[1-9]\d*:[1-9]\d*$/);
    const after = final.slice(final.findIndex(({ name }) => name === 'USER') + 1);
    expect(after.filter(({ name }) => name === 'RUN' || name === 'COPY')).toEqual([]);
  });

  it('leaves no package manager and no compiler in the final image', () => {
    const run = final
      .filter(({ name }) => name === 'RUN')
      .map(({ text }) => text)
      .join('\n');
    expect(run).not.toMatch(/npm (ci|install)|build-essential|\bg\+\+|\bmake\b|python3/);
    expect(run).toMatch(/rm -rf [^&]*\/usr\/local\/lib\/node_modules [^&]*\/usr\/local\/bin\/npm /);
    const dependencies = instructions.filter(({ stage, name }) => stage === 'dependencies' && name === 'RUN');
    expect(dependencies.map(({ text }) => text).join()).toMatch(
      /npm ci --omit=dev --ignore-scripts.*rm -rf [^&]*node_modules\/typescript/,
    );
  });

  it('builds the pages in a stage of their own and takes over what was built, not what built it', () => {
    const pages = instructions.filter(({ stage }) => stage === 'pages');
    const sources = pages.filter(({ name }) => name === 'COPY').flatMap(({ text }) => text.split(/\s+/));
    expect(sources).toEqual(expect.arrayContaining(['vite.config.ts', 'scripts/build-pages.mjs', 'src']));
    expect(pages.findLast(({ name }) => name === 'RUN')?.text).toBe('node scripts/build-pages.mjs');
    const taken = final.filter(({ text }) => text.startsWith('--from=pages'));
    expect(taken.map(({ text }) => text)).toEqual(['--from=pages /app/dist/pages ./dist/pages']);
  });

  it('takes the major version of Node that the project is made for', () => {
    const image = instructions.find(({ name }) => name === 'ARG')?.text;
    const { dependencies } = JSON.parse(read('package.json')) as { dependencies: { node: string } };
    expect(image).toMatch(new RegExp(`^NODE_IMAGE=node:${dependencies.node.split('.')[0]}-`));
  });

  it('has a health check, starts a worker, and lets an argument choose another command', () => {
    const text = (name: string) => final.find((instruction) => instruction.name === name)?.text ?? '';
    expect(text('HEALTHCHECK')).toMatch(/CMD \["node", "scripts\/healthcheck\.mjs"\]$/);
    expect(JSON.parse(text('ENTRYPOINT'))).toEqual(['tini', '--', 'node', 'src/main.ts']);
    expect(existsSync(new URL('src/main.ts', ROOT))).toBe(true);
    expect(JSON.parse(text('CMD'))).toEqual(['worker']);
  });
});

describe('the health check', () => {
  async function check(
    status: number | null,
    port: 'PORT' | 'WORKER_PORT',
  ): Promise<{ code: number; text: string }> {
    const server = createServer((_request, response) => response.writeHead(status ?? 500).end());
    await once(server.listen(0, '127.0.0.1'), 'listening');
    const address = server.address() as AddressInfo;
    if (status === null) server.close();
    // Port 1 is never listened on by an unprivileged program: the other half of the image is not running.
    const env = { PORT: '1', WORKER_PORT: '1', [port]: String(address.port) };
    const script = fileURLToPath(new URL('scripts/healthcheck.mjs', ROOT));
    const child = spawn(process.execPath, [script], { env, stdio: ['ignore', 'ignore', 'pipe'] });
    let text = '';
    child.stderr.on('data', (chunk: Buffer) => {
      text += chunk.toString();
    });
    const [code] = (await once(child, 'close')) as [number];
    if (status !== null) server.close();
    return { code, text };
  }

  it.each(['PORT', 'WORKER_PORT'] as const)('is well when what listens on %s is', async (port) => {
    expect(await check(200, port)).toEqual({ code: 0, text: '' });
  });

  it('is ill when the worker has no connection, and says which answer it got', async () => {
    const { code, text } = await check(503, 'WORKER_PORT');
    expect(code).toBe(1);
    expect(text).toMatch(/: 503/);
  });

  it('is ill when nothing answers', async () => {
    expect(await check(null, 'PORT')).toMatchObject({ code: 1, text: expect.stringMatching(/no answer/) });
  });
});
