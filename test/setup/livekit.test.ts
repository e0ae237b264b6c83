import { existsSync } from 'node:fs';
import { mkdir, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { ARCHIVE, type Project, setupProject, startReleaseServer } from './project.ts';

let project: Project;
const stops: (() => Promise<void>)[] = [];
beforeEach(async () => {
  project = await setupProject();
});
afterEach(async () => {
  await Promise.all(stops.splice(0).map((stop) => stop()));
  await project.remove();
});

async function release(options: { checksum?: string; listed?: string } = {}) {
  const server = await startReleaseServer({ program: project.server('7.7.7'), ...options });
  stops.push(server.stop);
  return server;
}

const FAKE_GO = `#!/bin/sh
[ "$1" = install ] || exit 9
printf '#!/bin/sh\\necho livekit-server version 8.8.8\\n' > "$GOBIN/server"
chmod +x "$GOBIN/server"
`;

describe('the set-up and livekit-server', () => {
  test('a release with the published checksum is used, kept, and not fetched again', async () => {
    const server = await release();
    const first = await project.run({ LIVEKIT_RELEASES_URL: server.url });
    expect(first.output).toContain(
      `using livekit-server 7.7.7: ${project.cached} (official release, checksum`,
    );
    expect(first.status).toBe(0);
    const second = await project.run({ LIVEKIT_RELEASES_URL: server.url });
    expect(second.output).toContain(`using livekit-server 7.7.7: ${project.cached} (cache)`);
    expect(server.requests).toEqual(['/v1.13.5/checksums.txt', `/v1.13.5/${ARCHIVE}`]);
  });

  test('an archive that fails its check is never run, and the next source is tried', async () => {
    const server = await release({ checksum: 'a'.repeat(64) });
    await project.addTool('go', FAKE_GO);
    const { output, status } = await project.run({ LIVEKIT_RELEASES_URL: server.url });
    expect(output).toMatch(/does not have the checksum its release publishes .* it was thrown away unused/);
    expect(output).toContain(`using livekit-server 8.8.8: ${project.cached} (go install`);
    expect(status).toBe(0);
    expect(project.wasRun()).toBe(false);
  });

  test('with no source left it says what was tried and what to do', async () => {
    const server = await release({ checksum: 'a'.repeat(64) });
    const { output, status } = await project.run({ LIVEKIT_RELEASES_URL: server.url });
    expect(status).toBe(1);
    expect(output).toMatch(
      /failed: no livekit-server \(official release: .*; go install: Go is not installed\)/,
    );
    expect(output).toMatch(/remedy: Install livekit-server 1\.13\.5/);
    expect(project.wasRun()).toBe(false);
    expect(existsSync(dirname(project.cached))).toBe(false);
  });

  test('an archive that the checksums do not list is not fetched', async () => {
    const server = await release({ listed: 'another.tar.gz' });
    const { output, status } = await project.run({ LIVEKIT_RELEASES_URL: server.url });
    expect(status).toBe(1);
    expect(output).toContain(`don't list ${ARCHIVE}`);
    expect(server.requests).toEqual(['/v1.13.5/checksums.txt']);
  });

  test('LIVEKIT_SERVER_BIN comes before PATH, PATH before the cache', async () => {
    await mkdir(dirname(project.cached), { recursive: true });
    await project.addServer(project.cached, '3.0.0');
    const named = join(project.root, 'my-server');
    await project.addServer(named, '1.0.0');
    expect((await project.run()).output).toContain('using livekit-server 3.0.0');
    await project.addTool('livekit-server', project.server('2.0.0'));
    expect((await project.run()).output).toMatch(/using livekit-server 2\.0\.0: .* \(PATH\)/);
    const { output } = await project.run({ LIVEKIT_SERVER_BIN: named });
    expect(output).toContain(`using livekit-server 1.0.0: ${named} (LIVEKIT_SERVER_BIN)`);
  });

  test('a LIVEKIT_SERVER_BIN that cannot be run is an error, not a reason to look elsewhere', async () => {
    await project.addTool('livekit-server', project.server('2.0.0'));
    const { output, status } = await project.run({ LIVEKIT_SERVER_BIN: '/nowhere/livekit-server' });
    expect(status).toBe(1);
    expect(output).toContain("failed: LIVEKIT_SERVER_BIN=/nowhere/livekit-server can't be run.");
    expect(output).toContain('remedy: Correct it, or unset it');
  });

  test('a cached program that does not run is replaced', async () => {
    await mkdir(dirname(project.cached), { recursive: true });
    await writeFile(project.cached, 'half a download');
    const server = await release();
    const { output } = await project.run({ LIVEKIT_RELEASES_URL: server.url });
    expect(output).toContain('using livekit-server 7.7.7');
  });

  test('of two at once one fetches and the other uses what it got', async () => {
    const server = await release();
    const both = await Promise.all([
      project.run({ LIVEKIT_RELEASES_URL: server.url }),
      project.run({ LIVEKIT_RELEASES_URL: server.url }),
    ]);
    expect(both.map(({ status }) => status)).toEqual([0, 0]);
    expect(server.requests.filter((url) => url.endsWith('.tar.gz'))).toHaveLength(1);
    expect(await project.npmCalls()).toHaveLength(1);
  });
});
