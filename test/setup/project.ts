import { execFile, spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { chmod, cp, mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';

const execute = promisify(execFile);
const SCRIPTS = fileURLToPath(new URL('../../scripts/', import.meta.url));
export const VERSION = '1.13.5';

const SYSTEM = process.platform === 'darwin' ? 'darwin' : 'linux';
const MACHINE = process.arch === 'arm64' ? 'arm64' : 'amd64';
export const ARCHIVE = `livekit_${VERSION}_${SYSTEM}_${MACHINE}.tar.gz`;

/** A program that only tells its version, and leaves a mark when it is run at all. */
function program(version: string, mark: string): string {
  return `#!/bin/sh\ntouch ${mark}\necho "livekit-server version ${version}"\n`;
}

async function writeProgram(path: string, content: string): Promise<void> {
  await writeFile(path, content);
  await chmod(path, 0o755);
}

/** A project with the set-up and nothing else, in a folder of its own, with an npm that only counts its calls. */
export async function setupProject() {
  const root = await mkdtemp(join(tmpdir(), 'floorwalker-setup-'));
  const cache = join(root, 'cache');
  const tools = join(root, 'tools');
  const mark = join(root, 'was-run');
  await Promise.all([mkdir(tools), cp(SCRIPTS, join(root, 'scripts'), { recursive: true })]);
  await writeFile(join(root, 'package.json'), '{"name": "fixture", "version": "1.0.0"}');
  await writeFile(join(root, 'package-lock.json'), '{"lockfileVersion": 3, "packages": {"": {}}}');
  const npmCalls = join(root, 'npm-calls');
  await writeFile(
    join(root, 'npm-cli.cjs'),
    `const { appendFileSync, mkdirSync, rmSync } = require('node:fs');
     appendFileSync(${JSON.stringify(npmCalls)}, process.argv.slice(2).join(' ') + '\\n');
     if (process.env.NPM_FAILS) { console.error('npm error code ENOTFOUND'); process.exit(1); }
     rmSync('node_modules', { recursive: true, force: true });
     mkdirSync('node_modules');`,
  );

  const run = async (env: Record<string, string> = {}) => {
    const child = spawn(process.execPath, [join(root, 'scripts', 'setup.mjs')], {
      cwd: root,
      env: {
        PATH: `${tools}:/usr/bin:/bin`,
        HOME: root,
        FLOORWALKER_CACHE_DIR: cache,
        npm_execpath: join(root, 'npm-cli.cjs'),
        // Nothing listens there: what is not meant to be fetched can't be.
        LIVEKIT_RELEASES_URL: 'http://127.0.0.1:9',
        ...env,
      },
    });
    let output = '';
    child.stdout.on('data', (chunk) => {
      output += chunk;
    });
    child.stderr.on('data', (chunk) => {
      output += chunk;
    });
    const [status] = await once(child, 'close');
    return { status, output };
  };

  return {
    root,
    cache,
    mark,
    run,
    npmCalls: async () =>
      (await readFile(npmCalls, 'utf8').catch(() => '')).split('\n').filter((line) => line !== ''),
    wasRun: () => existsSync(mark),
    cached: join(cache, `livekit-server-${VERSION}`, 'livekit-server'),
    addTool: (name: string, content: string) => writeProgram(join(tools, name), content),
    addServer: (path: string, version: string) => writeProgram(path, program(version, mark)),
    server: (version: string) => program(version, mark),
    remove: () => rm(root, { recursive: true, force: true }),
  };
}

export type Project = Awaited<ReturnType<typeof setupProject>>;

/** Stands in for the official release server. */
export async function startReleaseServer(options: { program: string; checksum?: string; listed?: string }) {
  const folder = await mkdtemp(join(tmpdir(), 'floorwalker-release-'));
  await writeProgram(join(folder, 'livekit-server'), options.program);
  await writeFile(join(folder, 'LICENSE'), 'text');
  await execute('tar', ['-czf', ARCHIVE, 'LICENSE', 'livekit-server'], { cwd: folder });
  const archive = await readFile(join(folder, ARCHIVE));
  await rm(folder, { recursive: true });
  const checksum = options.checksum ?? createHash('sha256').update(archive).digest('hex');
  const requests: string[] = [];
  const server = createServer((request, response) => {
    requests.push(request.url ?? '');
    if (request.url === `/v${VERSION}/checksums.txt`) {
      response.end(`${'0'.repeat(64)}  other.tar.gz\n${checksum}  ${options.listed ?? ARCHIVE}\n`);
    } else if (request.url === `/v${VERSION}/${ARCHIVE}`) {
      response.end(archive);
    } else {
      response.writeHead(404).end();
    }
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const address = server.address();
  if (address === null || typeof address === 'string') throw new Error('no port');
  return {
    url: `http://127.0.0.1:${address.port}`,
    requests,
    stop: async () => {
      server.close();
      server.closeAllConnections();
    },
  };
}
