import { auth, extractWWWAuthenticateParams } from '@modelcontextprotocol/sdk/client/auth.js';
import type { FetchLike } from '@modelcontextprotocol/sdk/shared/transport.js';
import { FloorwalkerError, isFloorwalkerError } from '../errors.ts';
import { canonicalHash } from './canonical-hash.ts';
import { OAuthProvider, type ProviderDeps } from './oauth-provider.ts';

/** A request is tried again after so many new authorisations; a server that wants more gets its refusal back. */
const MAX_AUTHORISATIONS = 2;

export interface OAuthFetchDeps extends Omit<ProviderDeps, 'key'> {
  readonly businessId: string;
  /** The guarded way to the network, for metadata and tokens; it never carries a token of the server. */
  readonly fetch: FetchLike;
}

/**
 * A fetch that carries the server's token, and gets one when it is asked to (401) or when the one it has does not
 * reach far enough (403, insufficient_scope). Many calls that meet the same refusal share one new token.
 */
export class OAuthFetch {
  readonly #deps: OAuthFetchDeps;
  readonly #provider: OAuthProvider;
  /** Asked for so far: a new token for more must still reach as far as the last one. */
  readonly #scopes = new Set<string>();
  #authorising: Promise<void> | undefined;

  constructor(deps: OAuthFetchDeps) {
    this.#deps = deps;
    const server = canonicalHash([deps.url.origin, deps.url.pathname, deps.oauth]);
    this.#provider = new OAuthProvider({ ...deps, key: { businessId: deps.businessId, server } });
  }

  wrap(next: FetchLike): FetchLike {
    return async (url, init) => {
      for (let authorisations = 0; ; authorisations += 1) {
        const token = await this.#provider.accessToken();
        const response = await next(url, this.#withToken(url, init, token));
        const challenge = challengeOf(response);
        if (challenge === undefined || authorisations >= MAX_AUTHORISATIONS) return response;
        await response.body?.cancel();
        const isNewer = (await this.#provider.accessToken()) !== token;
        if (!isNewer) await this.#authorise(challenge);
      }
    };
  }

  #withToken(url: string | URL, init: RequestInit | undefined, token: string | undefined): RequestInit {
    const headers = new Headers(init?.headers);
    if (token !== undefined && new URL(url).origin === this.#deps.url.origin)
      headers.set('authorization', `Bearer ${token}`);
    return { ...init, headers };
  }

  #authorise(challenge: Challenge): Promise<void> {
    this.#authorising ??= this.#authoriseOnce(challenge).finally(() => {
      this.#authorising = undefined;
    });
    return this.#authorising;
  }

  async #authoriseOnce({ resourceMetadataUrl, scope }: Challenge): Promise<void> {
    const { url, fetch } = this.#deps;
    for (const one of scope?.split(' ') ?? []) if (one !== '') this.#scopes.add(one);
    const options = {
      serverUrl: url,
      fetchFn: fetch,
      ...(resourceMetadataUrl === undefined ? {} : { resourceMetadataUrl }),
      ...(scope === undefined ? {} : { scope: [...this.#scopes].join(' ') }),
    };
    try {
      if ((await auth(this.#provider, options)) === 'AUTHORIZED') return;
      const authorizationCode = this.#provider.takeCode();
      if (authorizationCode === undefined) throw new Error('No authorisation code was given');
      await auth(this.#provider, { ...options, authorizationCode });
    } catch (error) {
      if (isFloorwalkerError(error)) throw error;
      throw new FloorwalkerError('tool_unavailable', 'its server did not accept our authorisation', {
        cause: error,
      });
    }
  }
}

type Challenge = Pick<ReturnType<typeof extractWWWAuthenticateParams>, 'resourceMetadataUrl' | 'scope'>;

function challengeOf(response: Response): Challenge | undefined {
  if (response.status !== 401 && response.status !== 403) return undefined;
  const { resourceMetadataUrl, scope, error } = extractWWWAuthenticateParams(response);
  if (response.status === 403 && error !== 'insufficient_scope') return undefined;
  return {
    ...(resourceMetadataUrl === undefined ? {} : { resourceMetadataUrl }),
    ...(scope === undefined ? {} : { scope }),
  };
}
