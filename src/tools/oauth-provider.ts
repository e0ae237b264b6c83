import { randomBytes } from 'node:crypto';
import type { OAuthClientProvider, OAuthDiscoveryState } from '@modelcontextprotocol/sdk/client/auth.js';
import type {
  OAuthClientInformationMixed,
  OAuthClientMetadata,
  OAuthTokens,
} from '@modelcontextprotocol/sdk/shared/auth.js';
import { FloorwalkerError } from '../errors.ts';
import { AuthorizationServer } from './authorization-server.ts';
import type { StoredAuthorisation, TokenKey, TokenStore } from './oauth-tokens.ts';
import type { Secrets } from './secrets.ts';
import type { OAuthConfig } from './tool-config.ts';

export interface ProviderDeps {
  readonly oauth: OAuthConfig;
  readonly url: URL;
  readonly key: TokenKey;
  readonly secrets: Secrets;
  readonly tokens?: TokenStore | undefined;
  /** Asks a person at the address; gives the parameters with which the browser came back. */
  readonly authorize?: ((url: URL) => Promise<URLSearchParams>) | undefined;
  readonly redirectUrl?: string | undefined;
  readonly clientMetadataUrl?: string | undefined;
}

/**
 * The credentials of one server of one business, for the SDK's OAuth client. Tokens that the authorization
 * server rotates are stored before they are used, and another process's newer ones are taken up.
 */
export class OAuthProvider implements OAuthClientProvider {
  readonly clientMetadataUrl?: string;
  readonly #deps: ProviderDeps;
  #known: StoredAuthorisation = {};
  #version = 0;
  #loaded: Promise<void> | undefined;
  #verifier = '';
  #server: AuthorizationServer | undefined;
  #registered: OAuthClientInformationMixed | undefined;
  #code: string | undefined;

  constructor(deps: ProviderDeps) {
    this.#deps = deps;
    if (deps.clientMetadataUrl !== undefined) this.clientMetadataUrl = deps.clientMetadataUrl;
  }

  /** Absent where nobody can be asked: then tokens come from the configured credentials alone. */
  get redirectUrl(): string | undefined {
    return this.#deps.authorize === undefined ? undefined : this.#deps.redirectUrl;
  }

  get clientMetadata(): OAuthClientMetadata {
    const { oauth } = this.#deps;
    // The redirect is to the loopback, which makes it a native application (OpenID Connect registration, section 2).
    const kind = this.redirectUrl === undefined ? {} : { application_type: 'native' };
    return {
      ...kind,
      client_name: 'Floorwalker',
      redirect_uris: this.redirectUrl === undefined ? [] : [this.redirectUrl],
      grant_types: this.redirectUrl === undefined ? [oauth.grant] : ['authorization_code', 'refresh_token'],
      response_types: this.redirectUrl === undefined ? [] : ['code'],
      ...(oauth.scope === undefined ? {} : { scope: oauth.scope }),
    };
  }

  /** The access token to send now. */
  async accessToken(): Promise<string | undefined> {
    await this.#load();
    return this.#known.tokens?.access_token;
  }

  /** The code that a person's consent gave, once. */
  takeCode(): string | undefined {
    const code = this.#code;
    this.#code = undefined;
    return code;
  }

  state(): string {
    return randomBytes(16).toString('base64url');
  }

  async clientInformation(): Promise<OAuthClientInformationMixed | undefined> {
    const { oauth } = this.#deps;
    // Somebody may have consented since this process looked: it need not be started anew for that.
    if (this.#known.tokens === undefined) this.#loaded = undefined;
    await this.#load();
    if (oauth.client_id === undefined) {
      const client = this.#registered ?? this.#known.client;
      // A conversation must not register a client that no person could ever consent to.
      if (client === undefined && this.redirectUrl === undefined)
        throw notAuthorised('it was not authorised yet');
      return client === undefined || this.#isFor(client) ? client : undefined;
    }
    const secret =
      oauth.client_secret === undefined ? {} : { client_secret: this.#secret(oauth.client_secret) };
    return {
      client_id: oauth.client_id,
      ...secret,
      ...(oauth.issuer === undefined ? {} : { issuer: oauth.issuer }),
    };
  }

  async saveClientInformation(client: OAuthClientInformationMixed): Promise<void> {
    if (this.#deps.oauth.client_id !== undefined) return;
    // Kept with the tokens that it gets: until a person has consented, those that are stored belong to another client.
    this.#registered = client;
  }

  /** Whether the person's browser may come back to us: the port is another each time. */
  #isFor(client: OAuthClientInformationMixed): boolean {
    if (this.redirectUrl === undefined || !('redirect_uris' in client)) return true;
    return client.redirect_uris.includes(this.redirectUrl);
  }

  async tokens(): Promise<OAuthTokens | undefined> {
    await this.#load();
    return this.#known.tokens;
  }

  async saveTokens(tokens: OAuthTokens): Promise<void> {
    const { secrets } = this.#deps;
    secrets.remember('oauth', tokens.access_token);
    if (tokens.refresh_token !== undefined) secrets.remember('oauth', tokens.refresh_token);
    // A server that does not rotate sends none: the one we have stays good.
    const refresh = tokens.refresh_token ?? this.#refreshToken();
    await this.#save({
      ...this.#known,
      ...(this.#registered === undefined ? {} : { client: this.#registered }),
      tokens: { ...tokens, ...(refresh === undefined ? {} : { refresh_token: refresh }) },
    });
  }

  async redirectToAuthorization(url: URL): Promise<void> {
    if (this.#deps.authorize === undefined) throw notAuthorised('nobody is there to authorise it');
    const answer = await this.#deps.authorize(url);
    this.#code = this.#server?.codeOf(answer);
  }

  /** Which server it is going to be, before anything is sent there. @throws when it is not who it says it is */
  saveDiscoveryState(state: OAuthDiscoveryState): void {
    this.#server = new AuthorizationServer(state, this.#deps.oauth.issuer);
  }

  saveCodeVerifier(verifier: string): void {
    this.#verifier = verifier;
  }

  codeVerifier(): string {
    return this.#verifier;
  }

  /** For the flows without a person. The grant of a person (a code) has its parameters from the SDK. */
  prepareTokenRequest(scope?: string): URLSearchParams | undefined {
    if (this.redirectUrl !== undefined) return undefined;
    const { oauth } = this.#deps;
    const params = new URLSearchParams({ grant_type: oauth.grant });
    const wanted = scope ?? oauth.scope;
    if (wanted !== undefined) params.set('scope', wanted);
    if (oauth.grant === 'refresh_token') {
      const refresh = this.#refreshToken();
      if (refresh === undefined) throw notAuthorised('it was not authorised yet, or no longer is');
      params.set('refresh_token', refresh);
      // The scope of a refresh can't be wider than what was granted; without one it stays as it is.
      params.delete('scope');
    }
    return params;
  }

  /** Another process may have used up the refresh token and stored the next one. */
  async invalidateCredentials(scope: 'all' | 'client' | 'tokens' | 'verifier' | 'discovery'): Promise<void> {
    if (scope === 'verifier' || scope === 'discovery') return;
    const before = this.#version;
    this.#loaded = undefined;
    await this.#load();
    if (this.#version > before) return;
    const { client } = this.#known;
    this.#known = scope === 'tokens' && client !== undefined ? { client } : {};
    this.#revoked = true;
  }

  #revoked = false;

  #refreshToken(): string | undefined {
    const { tokens } = this.#known;
    const stored = tokens?.refresh_token;
    if (typeof stored === 'string') return stored;
    const { refresh_token: name } = this.#deps.oauth;
    // The first one, from the operator; once it was refused it is not tried for ever.
    return name === undefined || this.#revoked ? undefined : this.#secret(name);
  }

  #secret(name: string): string {
    return this.#deps.secrets.forUrl(`\${secret:${name}}`, this.#deps.url);
  }

  #load(): Promise<void> {
    this.#loaded ??= this.#read();
    return this.#loaded;
  }

  async #read(): Promise<void> {
    const stored = await this.#deps.tokens?.load(this.#deps.key);
    if (stored === undefined || stored.version <= this.#version) return;
    this.#version = stored.version;
    this.#known = stored.authorisation;
    this.#revoked = false;
    for (const token of [
      stored.authorisation.tokens?.access_token,
      stored.authorisation.tokens?.refresh_token,
    ])
      if (typeof token === 'string') this.#deps.secrets.remember('oauth', token);
  }

  async #save(authorisation: StoredAuthorisation): Promise<void> {
    this.#known = authorisation;
    this.#revoked = false;
    const { tokens: store, key } = this.#deps;
    if (store === undefined) return;
    const saved = await store.save(key, authorisation, this.#version);
    if (saved !== undefined) {
      this.#version = saved;
      return;
    }
    // Somebody was faster: theirs is as good, and ours may be void by now.
    this.#loaded = undefined;
    await this.#load();
  }
}

function notAuthorised(why: string): FloorwalkerError {
  return new FloorwalkerError('tool_unavailable', `its server wants an authorisation: ${why}`, {
    remedy: 'Run `floorwalker tools authorize AGENT TOOL`.',
  });
}
