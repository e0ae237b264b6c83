import { randomUUID } from 'node:crypto';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { InvalidGrantError } from '@modelcontextprotocol/sdk/server/auth/errors.js';
import type { OAuthServerProvider } from '@modelcontextprotocol/sdk/server/auth/provider.js';
import {
  createOAuthMetadata,
  mcpAuthMetadataRouter,
  mcpAuthRouter,
} from '@modelcontextprotocol/sdk/server/auth/router.js';
import { createMcpExpressApp } from '@modelcontextprotocol/sdk/server/express.js';
import type { OAuthClientInformationFull, OAuthTokens } from '@modelcontextprotocol/sdk/shared/auth.js';
import { type HttpFixture, startHttpServer } from './http.ts';

export interface AuthorizationFixture {
  readonly issuer: string;
  /** The MCP server that wants this server's tokens. */
  readonly resource: HttpFixture;
  /** Access tokens that are good now; clear it and all have expired. */
  readonly good: Set<string>;
  /** Every token that was ever given. */
  readonly given: string[];
  /** Requests to the token endpoint, by grant. */
  readonly grants: string[];
  /** What the person says, and what the answer says of who asked them. */
  answer: { error?: string; iss?: string | undefined };
  /** Takes every grant back. */
  withdraw(): void;
  close(): Promise<void>;
}

/**
 * An authorization server of the SDK (registration, PKCE, redirects and token endpoint are its own), which rotates
 * refresh tokens and accepts each one once. Whoever opens the authorization address consents.
 */
export async function startAuthorizationServer(): Promise<AuthorizationFixture> {
  const resource = await startHttpServer('plain');
  const clients = new Map<string, OAuthClientInformationFull>();
  const codes = new Map<string, string>();
  let refresh = '';
  const app = createMcpExpressApp();
  const server = createServer(app);
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const issuerUrl = new URL(`http://127.0.0.1:${(server.address() as AddressInfo).port}`);
  const fixture: AuthorizationFixture = {
    issuer: issuerUrl.href,
    resource,
    good: new Set(),
    given: [],
    grants: [],
    answer: { iss: issuerUrl.href },
    withdraw: () => {
      refresh = randomUUID();
      fixture.good.clear();
    },
    close: async () => {
      server.closeAllConnections();
      await Promise.all([new Promise((resolve) => server.close(resolve)), resource.close()]);
    },
  };
  const give = (grant: string): OAuthTokens => {
    fixture.grants.push(grant);
    const token = `access-${randomUUID()}`;
    refresh = `refresh-${randomUUID()}`;
    fixture.good.add(token);
    fixture.given.push(token, refresh);
    return { access_token: token, token_type: 'Bearer', expires_in: 3_600, refresh_token: refresh };
  };
  const provider: OAuthServerProvider = {
    clientsStore: {
      getClient: (id) => clients.get(id),
      registerClient: (client) => {
        const known = { ...client, client_id: randomUUID(), client_id_issued_at: 1 };
        clients.set(known.client_id, known);
        return known;
      },
    },
    async authorize(_client, { redirectUri, state, codeChallenge }, response) {
      const code = randomUUID();
      codes.set(code, codeChallenge);
      const target = new URL(redirectUri);
      const { error, iss } = fixture.answer;
      const values = { state, iss, ...(error === undefined ? { code } : { error }) };
      for (const [name, value] of Object.entries(values))
        if (value !== undefined) target.searchParams.set(name, value);
      response.redirect(target.href);
    },
    challengeForAuthorizationCode: async (_client, code) => codes.get(code) ?? '',
    exchangeAuthorizationCode: async (_client, code) => {
      if (!codes.delete(code)) throw new InvalidGrantError('used or unknown');
      return give('authorization_code');
    },
    exchangeRefreshToken: async (_client, token) => {
      if (token !== refresh) throw new InvalidGrantError('used or unknown');
      return give('refresh_token');
    },
    verifyAccessToken: async (token) => ({ token, clientId: '', scopes: [] }),
  };
  const metadata = createOAuthMetadata({ provider, issuerUrl });
  const oauthMetadata = { ...metadata, authorization_response_iss_parameter_supported: true };
  app.use(mcpAuthMetadataRouter({ oauthMetadata, resourceServerUrl: new URL(resource.url) }));
  app.use(mcpAuthRouter({ provider, issuerUrl }));

  resource.intercept = (request, response) => {
    if (request.url?.startsWith('/.well-known/oauth-protected-resource')) {
      response.writeHead(200, { 'content-type': 'application/json' });
      response.end(JSON.stringify({ resource: resource.url, authorization_servers: [issuerUrl.href] }));
      return true;
    }
    if (fixture.good.has(request.headers.authorization?.replace('Bearer ', '') ?? '')) return false;
    response.writeHead(401, { 'www-authenticate': 'Bearer error="invalid_token"' }).end();
    return true;
  };
  return fixture;
}
