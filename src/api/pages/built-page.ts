import { createHash } from 'node:crypto';
import { readdir, readFile, stat } from 'node:fs/promises';
import { join, sep } from 'node:path';
import { promisify } from 'node:util';
import { brotliCompress, constants, gzip } from 'node:zlib';
import { getMimeType } from 'hono/utils/mime';

/** A file of a built page as it is sent: read, hashed and compressed once. */
export interface PageFile {
  readonly type: string;
  readonly etag: string;
  /** Its name holds a hash of its content: a browser need never ask for it again. */
  readonly immutable: boolean;
  readonly bodies: { readonly identity: Buffer; readonly gzip?: Buffer; readonly br?: Buffer };
}

const INDEX = 'index.html';
/** As vite writes them below `assets/`: name, hash of the content, ending. */
const HASHED = /^assets\/.+-[A-Za-z0-9_-]{8,}\.[a-z0-9]+$/;
const COMPRESSIBLE = /^(text\/|application\/(javascript|json|manifest\+json)|image\/svg\+xml)/;
const WORTH_COMPRESSING_BYTES = 1_024;

async function readPageFile(path: string, name: string): Promise<PageFile> {
  const identity = await readFile(path);
  const mime = getMimeType(name) ?? 'application/octet-stream';
  const type = mime.startsWith('text/') && !mime.includes('charset') ? `${mime}; charset=utf-8` : mime;
  const etag = `"${createHash('sha256').update(identity).digest('base64url').slice(0, 22)}"`;
  const immutable = HASHED.test(name);
  if (!COMPRESSIBLE.test(type) || identity.length < WORTH_COMPRESSING_BYTES) {
    return { type, etag, immutable, bodies: { identity } };
  }
  const [zipped, br] = await Promise.all([
    promisify(gzip)(identity),
    // The strongest setting takes seconds for a large script and saves a few per cent.
    promisify(brotliCompress)(identity, { params: { [constants.BROTLI_PARAM_QUALITY]: 7 } }),
  ]);
  return { type, etag, immutable, bodies: { identity, gzip: zipped, br } };
}

/**
 * One page as vite built it, held in memory: only what was there when it was read can be asked for, so no path
 * leads out of the folder. Read anew when it was built again.
 */
export class BuiltPage {
  readonly #folder: string;
  #read: { builtAtMs: number; files: Promise<ReadonlyMap<string, PageFile>> } | undefined;

  constructor(folder: string) {
    this.#folder = folder;
  }

  /** The file below the page's folder; without a name its HTML. Undefined when there is none, or no build. */
  async file(name: string = INDEX): Promise<PageFile | undefined> {
    return (await this.#files())?.get(name);
  }

  async #files(): Promise<ReadonlyMap<string, PageFile> | undefined> {
    const built = await stat(join(this.#folder, INDEX)).catch(() => undefined);
    if (built === undefined) return undefined;
    if (this.#read?.builtAtMs !== built.mtimeMs) {
      const files = this.#readAll();
      this.#read = { builtAtMs: built.mtimeMs, files };
      // A build that is under way may remove what was listed a moment ago.
      files.catch(() => {
        this.#read = undefined;
      });
    }
    return this.#read.files;
  }

  async #readAll(): Promise<ReadonlyMap<string, PageFile>> {
    const entries = await readdir(this.#folder, { recursive: true, withFileTypes: true });
    const paths = entries
      .filter((entry) => entry.isFile())
      .map(({ parentPath, name }) => join(parentPath, name));
    const files = await Promise.all(
      paths.map(async (path) => {
        const name = path.slice(this.#folder.length + 1).replaceAll(sep, '/');
        return [name, await readPageFile(path, name)] as const;
      }),
    );
    return new Map(files);
  }
}
