import { fork } from 'node:child_process';
import { once } from 'node:events';
import { chmod, mkdtemp, readdir, readFile, rm, stat, symlink, utimes, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, it, onTestFinished, vi } from 'vitest';
import { createLog } from '../../src/log.ts';
import { createSounds } from '../../src/runtime/sounds.ts';

const log = createLog({ level: 'silent' });
const KEY = 'coral: Hello.';
const MONTH_MS = 31 * 86_400_000;

async function setup(mostBytes = 1_000_000) {
  const parent = await mkdtemp(join(tmpdir(), 'sounds-'));
  onTestFinished(() => rm(parent, { recursive: true, force: true }));
  const path = join(parent, 'deep', 'sounds');
  const files = async () => (await readdir(path).catch(() => [])).map((name) => join(path, name));
  return {
    path,
    parent,
    files,
    /** As a process has them that has just begun: what it knows it knows from the folder. */
    process: () => createSounds({ path, mostBytes }, log),
    /** Kept, and written down. */
    async keep(key: string, samples: Int16Array) {
      const before = new Set(await files());
      createSounds({ path, mostBytes }, log).keep(key, samples);
      await vi.waitFor(
        async () => {
          const names = await files();
          expect(names.some((name) => name.endsWith('.part'))).toBe(false);
          expect(names.some((name) => !before.has(name))).toBe(true);
        },
        { timeout: 20_000 },
      );
    },
  };
}

const sound = (length: number, first = 1): Int16Array =>
  Int16Array.from({ length }, (_, nth) => ((first + nth * 7) % 60_000) - 30_000);

it('what one process keeps another finds, sample by sample, and nothing under another key', async () => {
  const { keep, process } = await setup();
  const samples = sound(4_801);
  await keep(KEY, samples);
  expect(await process().find(KEY)).toEqual(samples);
  expect(await process().find('onyx: Hello.')).toBeUndefined();
});

it('a process finds what it keeps at once, before and without the disk', async () => {
  const { process } = await setup();
  const sounds = process();
  const samples = sound(10);
  sounds.keep(KEY, samples);
  expect(await sounds.find(KEY)).toEqual(samples);
});

it.each([
  ['cut short', (bytes: Buffer) => bytes.subarray(0, bytes.length - 10)],
  ['changed in one place', (bytes: Buffer) => Buffer.from(bytes).fill(0x55, 100, 101)],
  ['empty', () => Buffer.alloc(0)],
])('a file that is %s is no sound, and makes room for a good one', async (_how, spoil) => {
  const { files, keep, process } = await setup();
  const samples = sound(500);
  await keep(KEY, samples);
  const [file = ''] = await files();
  await writeFile(file, spoil(await readFile(file)));
  expect(await process().find(KEY)).toBeUndefined();
  expect(await files()).toEqual([]);
  await keep(KEY, samples);
  expect(await process().find(KEY)).toEqual(samples);
});

it('a sound under the name of another is none', async () => {
  const { files, keep, process } = await setup();
  await keep(KEY, sound(500));
  const [file = ''] = await files();
  await keep('another', sound(600));
  const other = (await files()).find((name) => name !== file) ?? '';
  await writeFile(file, await readFile(other));
  expect(await process().find(KEY)).toBeUndefined();
});

it('a sound of more than a month is made anew', async () => {
  const { files, keep, process } = await setup();
  await keep(KEY, sound(500));
  const [file = ''] = await files();
  const then = (Date.now() - MONTH_MS) / 1000;
  await utimes(file, then, then);
  expect(await process().find(KEY)).toBeUndefined();
});

it('the folder stays within its bound: the oldest go, and what a process left unfinished', async () => {
  const { files, keep, path, process } = await setup(10_000);
  for (const nth of [0, 1, 2, 3, 4, 5]) {
    const known = new Set(await files());
    await keep(`key ${nth}`, sound(1_500, nth));
    // Made one after another also where a disk counts in whole seconds.
    for (const file of await files()) {
      if (known.has(file)) continue;
      const madeAt = Date.now() / 1000 - 1_000 + nth;
      await utimes(file, madeAt, madeAt);
    }
  }
  const left = join(path, `${'a'.repeat(64)}.someone.part`);
  const stranger = join(path, 'notes.txt');
  await writeFile(left, 'half');
  await writeFile(stranger, 'not ours');
  await utimes(left, 1, 1);
  createSounds({ path, mostBytes: 10_000 }, log).keep('last', sound(1_500));
  await vi.waitFor(async () => expect(await files()).not.toContain(left), { timeout: 20_000 });
  await vi.waitFor(async () => expect(await process().find('key 0')).toBeUndefined(), { timeout: 20_000 });
  expect(await process().find('last')).toBeDefined();
  expect(await files()).toContain(stranger);
  const sizes = await Promise.all((await files()).map(async (file) => (await stat(file)).size));
  expect(sizes.reduce((sum, size) => sum + size, 0)).toBeLessThan(10_000 + 100);
});

it('two processes that write the same and different sounds at once leave each of them whole', async () => {
  const { files, path, process } = await setup();
  const writers = [0, 1].map(() =>
    fork(new URL('./sound-writer.ts', import.meta.url), [path], { execArgv: [] }),
  );
  const ends = await Promise.all(writers.map((writer) => once(writer, 'exit')));
  expect(ends.map(([code]) => code)).toEqual([0, 0]);
  expect((await files()).filter((name) => name.endsWith('.part'))).toEqual([]);
  for (let nth = 0; nth < 20; nth += 1) {
    const found = await process().find(`shared ${nth}`);
    expect(found).toHaveLength(2_000 + nth);
    expect(new Set(found).size).toBe(1);
  }
}, 60_000);

it('a folder that others may write to is not believed, and memory does', async () => {
  const { files, keep, path, process } = await setup();
  await keep(KEY, sound(500));
  await chmod(path, 0o777);
  expect(await process().find(KEY)).toBeUndefined();
  const sounds = process();
  sounds.keep('new', sound(10));
  expect(await sounds.find('new')).toBeDefined();
  expect(await files()).toHaveLength(1);
});

it('a link in the place of the folder is not followed', async () => {
  const { keep, path, parent } = await setup();
  await keep(KEY, sound(500));
  const link = join(parent, 'link');
  await symlink(path, link);
  expect(await createSounds({ path: link, mostBytes: 1_000_000 }, log).find(KEY)).toBeUndefined();
});
