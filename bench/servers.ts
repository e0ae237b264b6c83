import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { z } from 'zod';
import { processEnvironment } from '../src/config.ts';
import { migrate } from '../src/database/migrate.ts';
import { findLiveKitServer } from '../src/embedded/livekit-binary.ts';
import { type EmbeddedLiveKit, startLiveKit } from '../src/embedded/livekit-server.ts';
import { startNodeChild } from '../src/embedded/node-child.ts';
import { startPostgres } from '../src/embedded/postgres.ts';
import type { Recording } from '../src/embedded/rehearsal/speech/library.ts';
import { generateSupabaseKeys, prepareDatabase, type SupabaseKeys } from '../src/embedded/supabase.ts';
import { createLog } from '../src/log.ts';

const EMBEDDED = new URL('../src/embedded/', import.meta.url);
const SPEECH = new URL('speech/server.ts', import.meta.url);
const readySchema = z.object({ url: z.string() });
const speechSchema = z.object({ openai_base_url: z.string(), deepgram_base_url: z.string() });

export interface Servers {
  readonly databaseUrl: string;
  readonly postgresPid: number;
  readonly supabaseUrl: string;
  readonly keys: SupabaseKeys;
  readonly livekit: EmbeddedLiveKit;
  /** Where workers keep sounds; empty when a run begins. */
  readonly soundFolder: string;
  readonly speech: { readonly openaiBaseUrl: string; readonly deepgramBaseUrl: string };
}

/** What every child of ours gets and no more, so that a stranger's environment does not change a figure. */
export function plainEnvironment(): Record<string, string | undefined> {
  const { PATH, HOME } = processEnvironment();
  return { PATH, HOME, NODE_ENV: 'production' };
}

async function writeRecordings(recordings: readonly Recording[], file: string): Promise<void> {
  const listed = recordings.map(({ input, words, samples }) => {
    const pcm = Buffer.from(samples.buffer, samples.byteOffset, samples.byteLength).toString('base64');
    return { input, words, pcm };
  });
  await writeFile(file, JSON.stringify(listed));
}

/**
 * Starts what the project stands on, each a process of its own; `onStop` gets what undoes each step.
 *
 * @param options.recordings what callers say besides what the speech server's own voices can.
 * @param options.speechMs how long the speech server takes for a sentence.
 * @param options.dataDir where the database is kept; without it, it goes when the run ends.
 */
export async function startServers(
  logFile: (name: string) => string,
  onStop: (undo: () => Promise<void>) => void,
  {
    recordings,
    speechMs,
    dataDir: kept,
  }: {
    readonly recordings: readonly Recording[];
    readonly speechMs: number;
    readonly dataDir: string | undefined;
  },
): Promise<Servers> {
  const binary = await findLiveKitServer(processEnvironment());
  if (!binary) throw new Error('No livekit-server was found. "node scripts/setup.mjs" brings one.');
  const dataDir = kept ?? (await mkdtemp(join(tmpdir(), 'floorwalker-bench-')));
  await mkdir(dataDir, { recursive: true });
  // As in production, fsync and all; commit times are written down besides, to know when a decision took effect.
  const postgres = await startPostgres({
    dataDir,
    // The next run on a kept folder has to know it; all that is in there is made up.
    password: kept === undefined ? crypto.randomUUID() : 'kept',
    temporary: kept === undefined,
    settings: { track_commit_timestamp: 'on' },
    logFile: logFile('postgres'),
  });
  onStop(() => postgres.stop());
  await prepareDatabase(postgres.url);
  await migrate(postgres.url, { log: createLog({ level: 'silent' }) });

  const livekit = await startLiveKit({ binary: binary.path, logFile: logFile('livekit') });
  onStop(() => livekit.stop());

  const keys = await generateSupabaseKeys();
  let line = '';
  const supabase = await startNodeChild({
    name: 'Supabase',
    script: new URL('supabase-main.ts', EMBEDDED),
    env: { ...plainEnvironment(), DO_NOT_TRACK: '1' },
    input: JSON.stringify({ databaseUrl: postgres.url, port: 0, keys }),
    logFile: logFile('supabase'),
    ready: async (lines) => {
      line = await lines.line(/^\{"url":/);
    },
  });
  onStop(() => supabase.stop());
  const supabaseUrl = readySchema.parse(JSON.parse(line)).url;

  const recorded = join(await mkdtemp(join(tmpdir(), 'floorwalker-bench-speech-')), 'recordings.json');
  onStop(() => rm(dirname(recorded), { recursive: true, force: true }));
  await writeRecordings(recordings, recorded);
  const rehearsal = await startNodeChild({
    name: 'speech',
    script: SPEECH,
    args: ['--recordings', recorded, '--speech-ms', String(speechMs)],
    env: plainEnvironment(),
    logFile: logFile('speech'),
    ready: async (lines) => {
      line = await lines.line(/^\{"url":/);
    },
  });
  onStop(() => rehearsal.stop());
  const speech = speechSchema.parse(JSON.parse(line));
  return {
    soundFolder: join(dirname(recorded), 'sounds'),
    databaseUrl: postgres.url,
    postgresPid: postgres.pid,
    supabaseUrl,
    keys,
    livekit,
    speech: { openaiBaseUrl: speech.openai_base_url, deepgramBaseUrl: speech.deepgram_base_url },
  };
}
