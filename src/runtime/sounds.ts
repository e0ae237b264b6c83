import { LRUCache } from 'lru-cache';
import type { Log } from '../log.ts';
import type { Sounds } from '../session/kept-speech.ts';
import { SoundFolder, type SoundFolderOptions } from './sound-folder.ts';

/** About three minutes of speech: what a process says again and again, without asking the disk. */
const MEMORY_BYTES = 8_000_000;

/**
 * The sounds that this process knows, and behind them a folder that it shares with the others of its machine, because
 * most calls have a process to themselves. Nothing is touched before the first call; without a folder that can be
 * used, memory has to do.
 */
export function createSounds(options: SoundFolderOptions, log: Log): Sounds {
  const memory = new LRUCache<string, Int16Array>({
    maxSize: MEMORY_BYTES,
    sizeCalculation: ({ byteLength }) => byteLength,
  });
  let opened: Promise<SoundFolder | undefined> | undefined;
  let reported = false;
  const trouble = (err: unknown): undefined => {
    if (!reported) log.warn({ err }, 'the folder for sounds can not be used; they are kept in memory');
    reported = true;
  };
  const folder = (): Promise<SoundFolder | undefined> => {
    opened ??= SoundFolder.open(options).catch(trouble);
    return opened;
  };
  const write = async (key: string, samples: Int16Array): Promise<void> => {
    await (await folder())?.write(key, samples);
  };
  const reading = new Map<string, Promise<Int16Array | undefined>>();
  const read = async (key: string): Promise<Int16Array | undefined> => {
    try {
      const found = await (await folder())?.read(key);
      if (found) memory.set(key, found);
      return found;
    } catch (err) {
      return trouble(err);
    } finally {
      reading.delete(key);
    }
  };
  return {
    async find(key) {
      const known = memory.get(key);
      if (known) return known;
      const found = reading.get(key) ?? read(key);
      reading.set(key, found);
      return found;
    },
    keep(key, samples) {
      if (samples.length === 0) return;
      memory.set(key, samples);
      write(key, samples).catch(trouble);
    },
  };
}
