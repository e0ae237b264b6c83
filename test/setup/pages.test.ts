import { chmod, mkdir, readFile, rm, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { type Project, setupProject } from './project.ts';

let project: Project;
const path = (...parts: string[]) => join(project.root, ...parts);

async function write(name: string, content: string): Promise<void> {
  await mkdir(dirname(path(name)), { recursive: true });
  await writeFile(path(name), content);
}

beforeEach(async () => {
  project = await setupProject();
  await project.addTool('livekit-server', project.server('2.0.0'));
  await project.run();
  await write('vite.config.ts', 'export const PAGES = {};');
  await write('src/console/index.html', '<p>one</p>');
  // In place of vite: leaves a mark each time, and fails when it is told to.
  await write(
    'node_modules/.bin/node',
    `#!/bin/sh\n[ -n "$BUILD_FAILS" ] && echo "no such file" && exit 1\necho built >> ${path('builds')}\n`,
  );
  await chmod(path('node_modules', '.bin', 'node'), 0o755);
});
afterEach(() => project.remove());

const builds = async () => (await readFile(path('builds'), 'utf8').catch(() => '')).split('\n').length - 1;

test('the pages are built once, and again when a source is changed, added or removed', async () => {
  expect((await project.run()).output).toMatch(/building the pages: done in \d+\.\d s/);
  expect((await project.run()).output).toContain('nothing to do');
  expect(await builds()).toBe(1);
  await write('src/console/index.html', '<p>two</p>');
  await project.run();
  expect(await builds()).toBe(2);
  await write('src/customer-page/try/index.html', '<p>new</p>');
  await project.run();
  expect(await builds()).toBe(3);
  await rm(path('src/customer-page'), { recursive: true });
  await project.run();
  expect(await builds()).toBe(4);
});

test('a build that fails says what it said, and is tried again', async () => {
  const { status, output } = await project.run({ BUILD_FAILS: '1' });
  expect(status).toBe(1);
  expect(output).toContain('no such file');
  expect(output).toContain('remedy: Run "npm run build:pages" here.');
  expect((await project.run()).status).toBe(0);
  expect(await builds()).toBe(1);
});
