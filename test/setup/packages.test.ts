import { spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { mkdir, readFile, readlink, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { type Project, setupProject } from './project.ts';

let project: Project;
beforeEach(async () => {
  project = await setupProject();
  await project.addTool('livekit-server', project.server('2.0.0'));
});
afterEach(() => project.remove());

const path = (...parts: string[]) => join(project.root, ...parts);
const changeLockfile = () =>
  writeFile(
    path('package-lock.json'),
    '{"lockfileVersion": 3, "packages": {"": {}, "node_modules/new": {}}}',
  );

/** The id of a process that has ended. */
function deadPid(): number {
  return spawnSync('true').pid;
}

describe('the set-up and the packages', () => {
  test('packages are installed once, and again when the lockfile changes', async () => {
    const first = await project.run();
    expect(first.output).toMatch(/installing packages with npm ci .*: done in \d+\.\d s/);
    expect(first.output).toMatch(/ready after \d+\.\d s/);
    expect((await project.run()).output).toContain('nothing to do');
    expect(await project.npmCalls()).toHaveLength(1);
    await changeLockfile();
    await project.run();
    expect(await project.npmCalls()).toHaveLength(2);
  });

  test('packages that somebody installed by hand are left as they are', async () => {
    await mkdir(path('node_modules'));
    await writeFile(path('node_modules', '.package-lock.json'), '{"packages": {}}');
    expect((await project.run()).status).toBe(0);
    expect(await project.npmCalls()).toEqual([]);
  });

  test('when npm fails, what it said and the remedy are shown, and the next run tries again', async () => {
    const { status, output } = await project.run({ NPM_FAILS: '1' });
    expect(status).toBe(1);
    expect(output).toContain('npm error code ENOTFOUND');
    expect(output).toContain('remedy: npm could not reach its registry');
    expect((await project.run()).status).toBe(0);
    expect(await project.npmCalls()).toHaveLength(2);
  });

  test('packages that a running demo uses are not replaced', async () => {
    await project.run();
    await changeLockfile();
    await mkdir(path('.cache', 'in-use'), { recursive: true });
    await writeFile(path('.cache', 'in-use', String(process.pid)), '');
    const { status, output } = await project.run();
    expect(status).toBe(1);
    expect(output).toContain(`a running demo (process ${process.pid}) uses the present ones`);
    await rm(path('.cache', 'in-use', String(process.pid)));
    await writeFile(path('.cache', 'in-use', String(deadPid())), '');
    expect((await project.run()).status).toBe(0);
  });

  test('the lock of a killed set-up is taken over', async () => {
    await mkdir(path('.cache'));
    await writeFile(path('.cache', 'setup.lock'), `${deadPid()} long ago\n`);
    expect((await project.run()).status).toBe(0);
    expect(existsSync(path('.cache', 'setup.lock'))).toBe(false);
  });

  test('the launcher is linked where npx finds it', async () => {
    await mkdir(path('bin'));
    await writeFile(path('bin', 'floorwalker'), '#!/bin/sh\n');
    await project.run();
    const link = path('node_modules', '.bin', 'floorwalker');
    expect(await readlink(link)).toBe('../../bin/floorwalker');
    expect(await readFile(link, 'utf8')).toBe('#!/bin/sh\n');
  });
});
