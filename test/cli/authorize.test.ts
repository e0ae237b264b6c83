import { afterAll, beforeAll, beforeEach, describe, expect, onTestFinished, test } from 'vitest';
import { registerToolsCommand } from '../../src/cli/tools.ts';
import { openCatalogue } from '../../src/tools/catalogue.ts';
import { ServerPool } from '../../src/tools/server-pool.ts';
import { createToolTokens } from '../../src/tools/token-rows.ts';
import { type Floor, setupFloor } from '../database/floor.ts';
import { type AuthorizationFixture, startAuthorizationServer } from '../tools/servers/authorization.ts';
import { NOBODY, recordingLog, row, run, toolsConfig, until } from '../tools/support.ts';
import { databaseEnv, runCommand } from './run-command.ts';

const TOKEN_KEY = 'a long value that only the workers of this test have';
const OAUTH = { grant: 'refresh_token' };

let floor: Floor;
let server: AuthorizationFixture;

beforeAll(async () => {
  floor = await setupFloor();
});
afterAll(() => floor?.db.stop());

beforeEach(async () => {
  server = await startAuthorizationServer();
  onTestFinished(() => server.close());
  const { sql } = floor.db;
  const config = { transport: 'http', endpoint: server.resource.url, oauth: OAUTH };
  await sql`delete from agent_tools where agent_id = ${floor.agent.id}`;
  await sql`delete from tool_tokens`;
  await sql`insert into agent_tools (agent_id, tool_name, tool_config) values (${floor.agent.id}, 'ping', ${sql.json(config)})`;
});

/** Runs the command beside a person who opens each address that it prints with `visit`. */
function authorize(visit: (url: URL) => Promise<unknown>) {
  const seen = new Set<string>();
  return runCommand(
    registerToolsCommand,
    { ...databaseEnv(floor.db), ALLOW_PRIVATE_ADDRESSES: '1', TOOL_TOKEN_KEY: TOKEN_KEY },
    ['tools', 'authorize', floor.agent.slug, '--business', floor.business.slug],
    (output) => {
      const [address] = /^http:\S+$/m.exec(output) ?? [];
      if (address === undefined || seen.has(address)) return;
      seen.add(address);
      void visit(new URL(address));
    },
  );
}
const consent = (url: URL) => fetch(url).then((page) => page.text());

/** A conversation in a worker's process of its own. */
async function join() {
  const { log } = recordingLog();
  const config = toolsConfig();
  const tokens = createToolTokens(floor.db.service, { tokenKeys: () => [TOKEN_KEY] });
  const pool = new ServerPool({ config, log, tokens });
  onTestFinished(() => pool.close());
  const catalogue = await openCatalogue(
    [row('ping', { transport: 'http', endpoint: server.resource.url, oauth: OAUTH })],
    {
      config,
      log,
      pool,
      identity: { ...NOBODY, businessId: floor.business.id },
      onStep: () => undefined,
    },
  );
  onTestFinished(() => catalogue.close());
  return catalogue;
}
const stored = () => floor.db.sql<{ sealed: string }[]>`select sealed from tool_tokens`;

describe('floorwalker tools authorize', () => {
  test('stores what a person grants, sealed, for conversations that go on through rotations', async () => {
    const before = await join();
    expect(before.definition('ping')?.unavailable).toContain('wants an authorisation');

    const { output, error } = await authorize(async (url) => {
      const callback = new URL(url.searchParams.get('redirect_uri') ?? '');
      // Somebody else's answer is not taken for the one that is awaited.
      callback.search = new URLSearchParams({ code: 'planted', state: 'guessed' }).toString();
      expect((await fetch(callback)).status).toBe(400);
      await consent(url);
    });
    expect(error).toBeUndefined();
    expect(output).toMatch(/^ping\(/m);
    expect(server.grants).toEqual(['authorization_code']);
    const [sealed] = await stored();
    expect(sealed?.sealed).toMatch(/^v1\./);
    for (const token of server.given) expect(sealed?.sealed + output).not.toContain(token);

    // Those that were running find it too: nobody restarts a worker for a grant.
    const [one, two] = [await join(), await join()];
    // Growing pauses lie between its attempts.
    await until(async () => (await run(before, 'ping', {})).output === 'pong', 'the grant is found', 40_000);
    for (const catalogue of [one, two, before]) {
      server.good.clear();
      expect((await run(catalogue, 'ping', {})).output).toBe('pong');
    }
    server.good.clear();
    // This one still has in mind a refresh token that the others have used up since.
    expect((await run(one, 'ping', {})).output).toBe('pong');
    expect(server.grants.filter((grant) => grant !== 'refresh_token')).toEqual(['authorization_code']);
    const [rotated] = await stored();
    expect(rotated?.sealed).not.toBe(sealed?.sealed);
    for (const token of server.given) expect(rotated?.sealed).not.toContain(token);

    // Taken back at the server, and granted once more: the browser comes back to another port than the first time.
    server.withdraw();
    expect((await run(one, 'ping', {})).output).toContain('wants an authorisation');
    expect((await authorize(consent)).error).toBeUndefined();
    await until(async () => (await run(one, 'ping', {})).output === 'pong', 'the new grant is found', 40_000);
  }, 120_000);

  test.each([
    ['another issuer', () => 'https://evil.example/'],
    ['no issuer, though the server says that it names itself', () => undefined],
    // Compared as written (RFC 9207): no trailing slash, other letters, other port.
    ['an issuer that only means the same', (issuer: string) => issuer.replace(/\/$/, '')],
  ])('does not bring a code to the server when the answer has %s', async (_name, iss) => {
    server.answer = { iss: iss(server.issuer) };
    const { output, error } = await authorize(consent);
    expect(error).toMatchObject({ code: 'tool_unavailable' });
    expect(output).toContain('not from the authorization server that was asked');
    expect(server.grants).toEqual([]);
    expect((await join()).definition('ping')?.unavailable).toBeDefined();
  });

  test('says so when the person refuses', async () => {
    server.answer = { iss: server.issuer, error: 'access_denied' };
    const { output, error } = await authorize(consent);
    expect(error).toMatchObject({ code: 'tool_unavailable' });
    expect(output).toContain('access_denied');
    expect(server.grants).toEqual([]);
  });
});
