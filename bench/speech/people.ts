import { execFile } from 'node:child_process';
import { createHash } from 'node:crypto';
import { mkdir, mkdtemp, readdir, readFile, rename, rm } from 'node:fs/promises';
import { homedir, tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { type Clip, part, readClip } from './clips.ts';
import type { Scene } from './scenes.ts';

const run = promisify(execFile);

/**
 * A Debian package with sound to test speech recognition by. Texts and licence are in it: its own recordings are under a
 * BSD licence, and the sentences that are read aloud are LibriVox's, in the public domain. It is fetched, never shipped.
 */
const PACKAGE = 'pocketsphinx-testdata';
const VERSION = '0.8+5prealpha+1-15';
const SHA256 = 'eaeb7a01d54f20b799d1a81ef110ec544b2cb47ea006614078220737a33019f0';
const INSIDE = 'usr/share/pocketsphinx/test/data';
const FETCH_WITHIN_MS = 60_000;

const READ = 'librivox/sense_and_sensibility_01_austen_64kb-';
/** Where the recorded speech begins and ends in each file, in milliseconds, found by its level. */
const RECORDINGS = {
  dashwood: { file: `${READ}0870.wav`, from: 70, to: 7_070 },
  disposed: { file: `${READ}0880.wav`, from: 0, to: 2_970 },
  unless: { file: `${READ}0890.wav`, from: 280, to: 5_170 },
  married: { file: `${READ}0920.wav`, from: 260, to: 5_830 },
  amiable: { file: `${READ}0930.wav`, from: 0, to: 3_220 },
  tenClubs: { file: 'cards/001.wav', from: 0, to: 1_090 },
  sevenClubs: { file: 'cards/003.wav', from: 0, to: 1_530 },
  cards: { file: 'cards/005.wav', from: 210, to: 3_240 },
  somewhere: { file: 'something.raw', from: 460, to: 2_490 },
} as const;
type Name = keyof typeof RECORDINGS;

/** `at` is a break in a recording, in its file's milliseconds, between two words; without it, another recording follows. */
interface Cut {
  readonly of: Name;
  readonly at?: number;
  readonly next?: Name;
  readonly begin: string;
  readonly rest: string;
}

const CUTS: readonly Cut[] = [
  {
    of: 'married',
    at: 2_560,
    begin: 'Had he married a more amiable woman,',
    rest: 'he might have been made still more respectable than he was.',
  },
  {
    of: 'cards',
    at: 2_180,
    begin: 'Eight of spades, four of clubs,',
    rest: 'seven of hearts.',
  },
  {
    of: 'disposed',
    next: 'unless',
    begin: 'He was not an ill disposed young man,',
    rest: 'unless to be rather cold hearted and rather selfish is to be ill disposed.',
  },
  {
    of: 'dashwood',
    at: 4_190,
    begin: 'And Mister John Dashwood had then leisure to consider how much',
    rest: 'there might be prudently in his power to do for them.',
  },
  {
    of: 'amiable',
    at: 1_100,
    begin: 'He might even',
    rest: 'have been made amiable himself.',
  },
  {
    of: 'unless',
    at: 3_880,
    begin: 'Unless to be rather cold hearted and rather selfish',
    rest: 'is to be ill disposed.',
  },
  { of: 'somewhere', at: 1_360, begin: 'Go somewhere', rest: 'and do something.' },
  {
    of: 'married',
    next: 'amiable',
    begin: 'Had he married a more amiable woman, he might have been made still more respectable than he was,',
    rest: 'he might even have been made amiable himself.',
  },
  { of: 'tenClubs', next: 'sevenClubs', begin: 'Ten of clubs,', rest: 'seven of clubs.' },
  {
    of: 'married',
    at: 3_840,
    begin: 'Had he married a more amiable woman, he might have been made',
    rest: 'still more respectable than he was.',
  },
  { of: 'cards', at: 1_140, begin: 'Eight of spades,', rest: 'four of clubs, seven of hearts.' },
  {
    of: 'dashwood',
    at: 2_750,
    begin: 'And Mister John Dashwood had then leisure',
    rest: 'to consider how much there might be prudently in his power to do for them.',
  },
];

const cacheDir = (): string => join(homedir(), '.cache', 'floorwalker', `${PACKAGE}-${VERSION}`);

/**
 * What people said, in two parts each. Fetched once with the system's own package tool, and used only as it was when
 * this was written.
 *
 * @throws Error that says why there is none here.
 */
export async function recordingsOfPeople(): Promise<readonly Scene[]> {
  const folder = cacheDir();
  const there = await readdir(folder).catch(() => []);
  if (there.length === 0) await fetchInto(folder);
  const clips = new Map<Name, Clip>();
  for (const name of Object.keys(RECORDINGS) as Name[]) {
    const { file } = RECORDINGS[name];
    clips.set(name, readClip(await readFile(join(folder, INSIDE, file))));
  }
  const cut = (name: Name, from: number, to: number): Clip => {
    const clip = clips.get(name);
    if (!clip) throw new Error(`there is no recording ${name}`);
    return part(clip, from, to);
  };
  return CUTS.map(({ of, at, next: follows, begin, rest }) => {
    const { from, to } = RECORDINGS[of];
    const next =
      follows === undefined ? { name: of, from: at ?? to, to } : { name: follows, ...RECORDINGS[follows] };
    return {
      kind: 'people',
      begin: { words: begin, clip: cut(of, from, at ?? to) },
      rest: { words: rest, clip: cut(next.name, next.from, next.to) },
    };
  });
}

async function fetchInto(folder: string): Promise<void> {
  const work = await mkdtemp(join(tmpdir(), 'floorwalker-recordings-'));
  try {
    await run('apt-get', ['download', `${PACKAGE}=${VERSION}`], { cwd: work, timeout: FETCH_WITHIN_MS });
    const [archive] = (await readdir(work)).filter((name) => name.endsWith('.deb'));
    if (archive === undefined) throw new Error('nothing was downloaded');
    const found = createHash('sha256')
      .update(await readFile(join(work, archive)))
      .digest('hex');
    if (found !== SHA256) throw new Error(`its checksum is ${found}, not ${SHA256}`);
    await run('dpkg-deb', ['-x', archive, 'content'], { cwd: work });
    await mkdir(join(folder, '..'), { recursive: true });
    await rename(join(work, 'content'), folder).catch(async () => {
      // Another file system.
      await run('cp', ['-r', join(work, 'content'), folder]);
    });
  } finally {
    await rm(work, { recursive: true, force: true });
  }
}
