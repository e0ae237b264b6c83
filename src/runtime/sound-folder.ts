import { createHash, randomUUID } from 'node:crypto';
import { lstat, mkdir, open, readdir, rename, rm, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';

/** A sound is made anew after so long: services change their voices under the same name. */
const OLDEST_MS = 30 * 86_400_000;
/** A file that was being written so long ago is left by a process that died. */
const UNFINISHED_MS = 3_600_000;

const SOUND = /^[0-9a-f]{64}\.sound$/;
const UNFINISHED = /^[0-9a-f]{64}\..+\.part$/;
const DIGEST_BYTES = 32;

export interface SoundFolderOptions {
  readonly path: string;
  /** All sounds together; the oldest go first. */
  readonly mostBytes: number;
}

/**
 * Sounds as files, for all processes of a machine that are given the same folder. A file has its key's hash for a
 * name and begins with a digest of name and sound: whatever else is found there is no sound.
 */
export class SoundFolder {
  readonly #options: SoundFolderOptions;

  private constructor(options: SoundFolderOptions) {
    this.#options = options;
  }

  /** @throws Error where the folder can't be made, or others than this user may write there. */
  static async open(options: SoundFolderOptions): Promise<SoundFolder> {
    await mkdir(options.path, { recursive: true, mode: 0o700 });
    const found = await lstat(options.path);
    // In a shared place anybody may have made it first, to have callers hear what they please.
    const ours = process.getuid === undefined || found.uid === process.getuid();
    if (!found.isDirectory() || !ours || (found.mode & 0o022) !== 0)
      throw new Error('The folder for sounds is not this user’s alone.');
    return new SoundFolder(options);
  }

  /** @throws Error of the disk; a file that is not there, too old or not as it was written is `undefined`. */
  async read(key: string): Promise<Int16Array | undefined> {
    const name = nameOf(key);
    const path = join(this.#options.path, name);
    const file = await open(path).catch(ignoreMissing);
    if (!file) return undefined;
    try {
      const { mtimeMs } = await file.stat();
      if (Date.now() - mtimeMs > OLDEST_MS) return undefined;
      const bytes = await file.readFile();
      const sound = bytes.subarray(DIGEST_BYTES);
      if (sound.length > 0 && bytes.subarray(0, DIGEST_BYTES).equals(digest(name, sound)))
        return samplesOf(sound);
    } finally {
      await file.close();
    }
    await rm(path, { force: true });
    return undefined;
  }

  /** Whole or not at all, whoever else writes the same. @throws Error of the disk */
  async write(key: string, samples: Int16Array): Promise<void> {
    const sound = Buffer.from(samples.buffer, samples.byteOffset, samples.byteLength);
    if (sound.length + DIGEST_BYTES > this.#options.mostBytes) return;
    const name = nameOf(key);
    const path = join(this.#options.path, name);
    const part = join(this.#options.path, `${name.slice(0, 64)}.${randomUUID()}.part`);
    try {
      await writeFile(part, Buffer.concat([digest(name, sound), sound]), { mode: 0o600, flag: 'wx' });
      await rename(part, path);
    } catch (error) {
      await rm(part, { force: true }).catch(() => {});
      throw error;
    }
    await this.#tidy();
  }

  async #tidy(): Promise<void> {
    const now = Date.now();
    const sounds: { path: string; bytes: number; madeAt: number }[] = [];
    for (const name of await readdir(this.#options.path)) {
      if (!SOUND.test(name) && !UNFINISHED.test(name)) continue;
      const path = join(this.#options.path, name);
      const found = await stat(path).catch(ignoreMissing);
      if (!found) continue;
      if (now - found.mtimeMs > (SOUND.test(name) ? OLDEST_MS : UNFINISHED_MS))
        await rm(path, { force: true });
      else if (SOUND.test(name)) sounds.push({ path, bytes: found.size, madeAt: found.mtimeMs });
    }
    let bytes = sounds.reduce((sum, sound) => sum + sound.bytes, 0);
    sounds.sort((one, other) => one.madeAt - other.madeAt);
    for (const sound of sounds) {
      if (bytes <= this.#options.mostBytes) return;
      await rm(sound.path, { force: true });
      bytes -= sound.bytes;
    }
  }
}

function nameOf(key: string): string {
  return `${createHash('sha256').update(key).digest('hex')}.sound`;
}

function digest(name: string, sound: Uint8Array): Buffer {
  return createHash('sha256').update(name).update('\0').update(sound).digest();
}

/** A copy, because samples begin at even addresses. */
function samplesOf(sound: Uint8Array): Int16Array {
  const samples = new Int16Array(Math.floor(sound.length / 2));
  new Uint8Array(samples.buffer).set(sound.subarray(0, samples.byteLength));
  return samples;
}

function ignoreMissing(error: unknown): undefined {
  if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return undefined;
  throw error;
}
