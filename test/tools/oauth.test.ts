import { randomUUID } from 'node:crypto';
import { describe, expect, onTestFinished, test } from 'vitest';
import { openCatalogue } from '../../src/tools/catalogue.ts';
import { createTokenStore, type SealedTokenRows, type TokenKey } from '../../src/tools/oauth-tokens.ts';
import { ServerPool } from '../../src/tools/server-pool.ts';
import { startHttpServer } from './servers/http.ts';
import { NOBODY, recordingLog, row, run, toolsConfig } from './support.ts';

/** An MCP server that wants a token, with its authorization server in the same process. */
async function setupServer() {
  const server = await startHttpServer('plain');
  onTestFinished(() => server.close());
  const origin = new URL(server.url).origin;
  const state = {
    /** Access tokens that are good now. */
    good: new Set<string>(),
    /** The only refresh token that is good now. */
    refresh: 'first-refresh-token',
    grants: [] as URLSearchParams[],
    revoked: false,
  };
  server.intercept = (request, response, body) => {
    const json = (status: number, value: unknown, headers: Record<string, string> = {}) => {
      response
        .writeHead(status, { 'content-type': 'application/json', ...headers })
        .end(JSON.stringify(value));
      return true;
    };
    const path = request.url ?? '';
    if (path.startsWith('/.well-known/oauth-protected-resource'))
      return json(200, { resource: server.url, authorization_servers: [origin] });
    if (path.startsWith('/.well-known/'))
      return json(200, {
        issuer: origin,
        authorization_endpoint: `${origin}/authorize`,
        token_endpoint: `${origin}/token`,
        response_types_supported: ['code'],
        token_endpoint_auth_methods_supported: ['client_secret_basic'],
      });
    if (path === '/token') {
      const grant = new URLSearchParams(body);
      state.grants.push(grant);
      const isRefresh = grant.get('grant_type') === 'refresh_token';
      if (state.revoked || (isRefresh && grant.get('refresh_token') !== state.refresh))
        return json(400, { error: 'invalid_grant' });
      const token = `access-${randomUUID()}`;
      state.good.add(token);
      if (isRefresh) state.refresh = `refresh-${randomUUID()}`;
      return json(200, {
        access_token: token,
        token_type: 'Bearer',
        expires_in: 3_600,
        ...(isRefresh ? { refresh_token: state.refresh } : {}),
      });
    }
    const token = request.headers.authorization?.replace('Bearer ', '') ?? '';
    if (state.good.has(token)) return false;
    return json(401, { error: 'invalid_token' }, { 'www-authenticate': 'Bearer error="invalid_token"' });
  };
  return { server, state };
}

/** Rows of a database that several processes share. */
function sharedRows() {
  const rows = new Map<string, { sealed: string; version: number }>();
  const keyOf = ({ businessId, server }: TokenKey) => `${businessId} ${server}`;
  const store: SealedTokenRows = {
    load: async (key) => rows.get(keyOf(key)),
    save: async (key, sealed, version) => {
      if ((rows.get(keyOf(key))?.version ?? 0) !== version) return undefined;
      rows.set(keyOf(key), { sealed, version: version + 1 });
      return version + 1;
    },
  };
  return { rows, store };
}

function worker(
  url: string,
  oauth: object,
  store?: SealedTokenRows,
  key = 'a key that only the workers have',
) {
  const { log, lines } = recordingLog();
  const host = new URL(url).host;
  const config = toolsConfig(
    {},
    { CLIENT: ['client-secret', [host]], GRANT: ['first-refresh-token', [host]] },
  );
  const pool = new ServerPool({ config, log, tokens: store && createTokenStore(store, [key]) });
  onTestFinished(() => pool.close());
  const join = async (businessId = NOBODY.businessId) => {
    const tools = ['ping', 'whoami'].map((name) => row(name, { transport: 'http', endpoint: url, oauth }));
    const identity = { ...NOBODY, businessId };
    const catalogue = await openCatalogue(tools, { config, log, pool, identity, onStep: () => undefined });
    onTestFinished(() => catalogue.close());
    return catalogue;
  };
  return { join, lines };
}

const MACHINE = { grant: 'client_credentials', client_id: 'floor', client_secret: 'CLIENT', scope: 'tools' };
const GRANTED = {
  grant: 'refresh_token',
  client_id: 'floor',
  client_secret: 'CLIENT',
  refresh_token: 'GRANT',
};

describe('a server that wants OAuth', () => {
  test('gets a token of the client, once for all calls that wait, and a new one when that has expired', async () => {
    const { server, state } = await setupServer();
    const catalogue = await worker(server.url, MACHINE).join();
    expect((await run(catalogue, 'ping', {})).output).toBe('pong');
    expect(state.grants.map((grant) => grant.get('scope'))).toEqual(['tools']);
    state.good.clear();
    const results = await Promise.all(Array.from({ length: 8 }, () => run(catalogue, 'ping', {})));
    expect(new Set(results.map(({ status }) => status))).toEqual(new Set(['succeeded']));
    expect(state.grants).toHaveLength(2);
  });

  test('takes up a token that another process rotated, and what is stored is sealed', async () => {
    const { server, state } = await setupServer();
    const { rows, store } = sharedRows();
    const [one, two] = [worker(server.url, GRANTED, store), worker(server.url, GRANTED, store)];
    const first = await one.join();
    expect((await run(first, 'ping', {})).output).toBe('pong');
    const [row] = [...rows.values()];
    expect(row?.sealed).toMatch(/^v1\./);
    for (const token of [...state.good, state.refresh]) expect(row?.sealed).not.toContain(token);
    // The operator's first refresh token is used up; the stored one is not.
    expect((await run(await two.join(), 'ping', {})).output).toBe('pong');
    state.good.clear();
    expect((await run(first, 'ping', {})).output).toBe('pong');
    state.good.clear();
    // The other process still has the old refresh token in mind.
    expect((await run(await two.join(), 'ping', {})).output).toBe('pong');
    expect(state.revoked).toBe(false);
  });

  test('that has withdrawn the grant makes its tools unavailable, and is not asked for ever', async () => {
    const { server, state } = await setupServer();
    state.revoked = true;
    const catalogue = await worker(server.url, GRANTED).join();
    expect(catalogue.definition('ping')?.unavailable).toBeDefined();
    expect(state.grants.length).toBeLessThanOrEqual(2);
  });

  test('sees no token of another business, and a sealed text opens in its own row only', async () => {
    const { server, state } = await setupServer();
    const { rows, store } = sharedRows();
    const { join } = worker(server.url, MACHINE, store);
    await join();
    await join('another-business');
    expect(state.grants).toHaveLength(2);
    const [mine, theirs] = [...rows.keys()];
    const swapped: SealedTokenRows = {
      ...store,
      load: async () => rows.get(theirs ?? ''),
    };
    const [businessId = '', key = ''] = (mine ?? '').split(' ');
    await expect(
      createTokenStore(swapped, ['a key that only the workers have']).load({ businessId, server: key }),
    ).rejects.toThrow('can not be opened');
    await expect(
      createTokenStore(store, ['another key']).load({ businessId, server: key }),
    ).rejects.toThrow();
    const both = createTokenStore(store, ['a new key', 'a key that only the workers have']);
    expect((await both.load({ businessId, server: key }))?.authorisation.tokens?.access_token).toMatch(
      /^access-/,
    );
  });

  test('that echoes its token does not show it to the model or the log', async () => {
    const { server, state } = await setupServer();
    const { join, lines } = worker(server.url, MACHINE);
    const catalogue = await join();
    const [token = ''] = [...state.good];
    const result = await run(catalogue, 'whoami', { echoed: token });
    expect(result.status).toBe('succeeded');
    expect(result.output).toContain('[secret oauth]');
    expect(JSON.stringify([result, lines])).not.toContain(token);
  });

  test('does not get the token sent along a redirect to another place', async () => {
    const { server } = await setupServer();
    const thief = await startHttpServer('plain');
    onTestFinished(() => thief.close());
    const before = server.intercept;
    const catalogue = await worker(server.url, MACHINE).join();
    server.intercept = (request, response, body) => {
      if (!body.includes('"tools/call"')) return before?.(request, response, body) ?? false;
      response.writeHead(307, { location: thief.url }).end();
      return true;
    };
    expect((await run(catalogue, 'ping', {})).status).not.toBe('succeeded');
    expect(thief.requests.filter(({ headers }) => headers.authorization !== undefined)).toEqual([]);
    expect(thief.calls).toEqual([]);
  });
});
