import { execFile } from 'node:child_process';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { type Recording, SPEECH_RATE } from '../../src/embedded/rehearsal/speech/library.ts';
import { resampleClip, toInt16 } from '../../src/embedded/rehearsal/speech/resample.ts';
import { type Clip, readClip, trimmed } from './clips.ts';
import { recordingsOfPeople } from './people.ts';

const run = promisify(execFile);

export const SCENE_KINDS = ['people', 'espeak', 'rehearsal'] as const;
export type SceneKind = (typeof SCENE_KINDS)[number];

interface Said {
  /** What the recogniser understands. */
  readonly words: string;
  /** None for the rehearsal server's own voices. */
  readonly clip?: Clip;
}

/** Something that is said in two parts, with a pause to think between. */
export interface Scene {
  readonly kind: SceneKind;
  readonly voice?: string;
  readonly begin: Said;
  readonly rest: Said;
}

/** Sentences in whose middle somebody stops to think, and where. */
const SENTENCES = [
  ['I would like to know', 'when my parcel arrives.'],
  ['My order number is', 'one zero four two, please have a look.'],
  ['Can you tell me', 'where my order is?'],
  ['I need to change', 'the address of my last order.'],
] as const;
/** The synthesiser's voices and words a minute. */
const ESPEAK = [
  ['en-us', 150],
  ['en-gb+f3', 175],
  ['en-gb-scotland+m4', 200],
  ['en-us+f2', 130],
  ['en-gb-x-rp+m7', 220],
] as const;
const REHEARSAL = ['alloy', 'echo', 'fable'];

async function espeak(voice: string, rate: number, words: string, folder: string): Promise<Clip> {
  const file = join(folder, 'said.wav');
  await run('espeak-ng', ['-v', voice, '-s', String(rate), '-w', file, words]);
  return trimmed(readClip(await readFile(file)));
}

async function scenesOfEspeak(): Promise<readonly Scene[]> {
  const folder = await mkdtemp(join(tmpdir(), 'floorwalker-espeak-'));
  try {
    const scenes: Scene[] = [];
    for (const [nth, [voice, rate]] of [...ESPEAK, ...ESPEAK].entries()) {
      // Each voice meets two sentences.
      const [begin, rest] =
        SENTENCES[(nth + Math.floor(nth / ESPEAK.length)) % SENTENCES.length] ?? SENTENCES[0];
      scenes.push({
        kind: 'espeak',
        begin: { words: begin, clip: await espeak(voice, rate, begin, folder) },
        rest: { words: rest, clip: await espeak(voice, rate, rest, folder) },
      });
    }
    return scenes;
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

function ownScenes(): readonly Scene[] {
  return Array.from({ length: REHEARSAL.length * SENTENCES.length }, (_, nth) => {
    const [begin, rest] =
      SENTENCES[(nth + Math.floor(nth / REHEARSAL.length)) % SENTENCES.length] ?? SENTENCES[0];
    const voice = REHEARSAL[nth % REHEARSAL.length] ?? 'alloy';
    return { kind: 'rehearsal', voice, begin: { words: begin }, rest: { words: rest } };
  });
}

const SOURCES: Readonly<Record<SceneKind, () => Promise<readonly Scene[]>>> = {
  people: recordingsOfPeople,
  espeak: scenesOfEspeak,
  rehearsal: async () => ownScenes(),
};

/**
 * Every scene of a kind that can be had here.
 *
 * @param fullStops the recogniser puts a full stop after the first part, as some do wherever somebody pauses.
 * @throws Error that says why there are none.
 */
export async function scenesOf(kind: SceneKind, fullStops: boolean): Promise<readonly Scene[]> {
  const scenes = await SOURCES[kind]();
  if (!fullStops) return scenes;
  return scenes.map(({ begin, ...scene }) => ({
    ...scene,
    begin: { ...begin, words: begin.words.replace(/,?$/u, '.') },
  }));
}

/** What a caller asks the speech server for, to say this part of a scene; its words alone where it has no clip. */
export function inputOf(kind: SceneKind, nth: number, which: 'begin' | 'rest', said: Said): string {
  return said.clip ? `(${kind} ${nth} ${which})` : said.words;
}

/** For the speech server, which hands them out and knows their words. */
export function recordingsOf(kind: SceneKind, scenes: readonly Scene[]): Recording[] {
  return scenes.flatMap((scene, nth) =>
    (['begin', 'rest'] as const).flatMap((which) => {
      const { words, clip } = scene[which];
      if (!clip) return [];
      const samples = toInt16(resampleClip(clip.samples, clip.rate, SPEECH_RATE));
      return [{ input: inputOf(kind, nth, which, scene[which]), words, samples }];
    }),
  );
}
