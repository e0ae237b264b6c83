// The official release archive of livekit-server, used only if it has the checksum that the release publishes.
import { createHash } from 'node:crypto';
import { gunzipSync } from 'node:zlib';

const OFFICIAL = 'https://github.com/livekit/livekit/releases/download';
const STALLED_MS = 30_000;
const LARGEST_BYTES = 300 * 1024 * 1024;

const SYSTEMS = { linux: 'linux', darwin: 'darwin' };
const MACHINES = { x64: 'amd64', arm64: 'arm64', arm: 'armv7' };

/** Reads an address whole; gives up when nothing arrives for a while, however long the whole takes. */
async function read(url) {
  const stop = new AbortController();
  const watch = () => setTimeout(() => stop.abort(new Error('nothing arrived for 30 s')), STALLED_MS);
  let timer = watch();
  try {
    const response = await fetch(url, { signal: stop.signal });
    if (!response.ok) throw new Error(`answered ${response.status}`);
    const chunks = [];
    let size = 0;
    for await (const chunk of response.body) {
      clearTimeout(timer);
      timer = watch();
      size += chunk.length;
      if (size > LARGEST_BYTES) throw new Error('is larger than any release');
      chunks.push(chunk);
    }
    return Buffer.concat(chunks);
  } catch (error) {
    throw new Error(`${url}: ${error.cause?.message ?? error.message}`);
  } finally {
    clearTimeout(timer);
  }
}

/** The line for this file in a list as `sha256sum` writes it. */
function publishedChecksum(list, name) {
  for (const line of list.split('\n')) {
    const [sum, file] = line.trim().split(/\s+\*?/);
    if (file === name && /^[0-9a-f]{64}$/i.test(sum)) return sum.toLowerCase();
  }
  throw new Error(`the release's checksums don't list ${name}`);
}

function field(header, start, length) {
  const text = header.toString('latin1', start, start + length);
  const end = text.indexOf('\0');
  return end < 0 ? text : text.slice(0, end);
}

/** The content of one regular file of a tar archive; nothing else of the archive is looked at or written. */
function extract(tar, wanted) {
  for (let at = 0; at + 512 <= tar.length; ) {
    const header = tar.subarray(at, at + 512);
    const name = field(header, 0, 100);
    if (name === '') break;
    const size = Number.parseInt(field(header, 124, 12).trim() || '0', 8);
    const type = field(header, 156, 1);
    if ((type === '0' || type === '') && name.replace(/^\.\//, '') === wanted) {
      return tar.subarray(at + 512, at + 512 + size);
    }
    at += 512 + Math.ceil(size / 512) * 512;
  }
  throw new Error(`the archive has no ${wanted}`);
}

/**
 * `LIVEKIT_RELEASES_URL` names a mirror of https://github.com/livekit/livekit/releases/download.
 *
 * @param {NodeJS.ProcessEnv} env @param {string} version
 * @returns {Promise<{program: Buffer, sha256: string}>}
 * @throws when it can't be had, or is not the published one: then nothing of it is returned.
 */
export async function downloadRelease(env, version) {
  const system = SYSTEMS[process.platform];
  const machine = MACHINES[process.arch];
  if (!system || !machine) throw new Error(`there is none for ${process.platform} ${process.arch}`);
  const base = `${(env.LIVEKIT_RELEASES_URL || OFFICIAL).replace(/\/+$/, '')}/v${version}`;
  const name = `livekit_${version}_${system}_${machine}.tar.gz`;
  const published = publishedChecksum((await read(`${base}/checksums.txt`)).toString('utf8'), name);
  const archive = await read(`${base}/${name}`);
  const sha256 = createHash('sha256').update(archive).digest('hex');
  if (sha256 !== published) {
    throw new Error(
      `${name} does not have the checksum its release publishes (${published.slice(0, 12)}…, is ${sha256.slice(0, 12)}…); it was thrown away unused`,
    );
  }
  return { program: extract(gunzipSync(archive), 'livekit-server'), sha256 };
}
