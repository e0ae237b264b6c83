import type { OAuthDiscoveryState } from '@modelcontextprotocol/sdk/client/auth.js';
import { z } from 'zod';
import { FloorwalkerError } from '../errors.ts';

const metadataSchema = z.looseObject({
  issuer: z.string(),
  authorization_response_iss_parameter_supported: z.boolean().optional(),
});

/**
 * An authorization server, and what proves that an answer is its own. The SDK compares neither: without it one server
 * could have us bring another's code, or another's credentials, to its token endpoint (mix-up, RFC 9207).
 */
export class AuthorizationServer {
  readonly #issuer: string;
  readonly #saysWhoItIs: boolean;

  /**
   * @param expected the issuer that the operator named, where its metadata is served at another's address
   * @throws FloorwalkerError `tool_unavailable` for metadata of another issuer (RFC 8414, section 3.3)
   */
  constructor(
    { authorizationServerUrl, authorizationServerMetadata }: OAuthDiscoveryState,
    expected?: string,
  ) {
    const metadata = metadataSchema.safeParse(authorizationServerMetadata).data;
    this.#issuer = metadata?.issuer ?? authorizationServerUrl;
    this.#saysWhoItIs = metadata?.authorization_response_iss_parameter_supported ?? false;
    // An address that is only an origin has a slash once it was parsed, and none as most servers write it.
    const names = [authorizationServerUrl, authorizationServerUrl.replace(/\/$/, ''), expected];
    if (!names.includes(this.#issuer))
      throw notTheirs('its authorization server calls itself by another name');
  }

  /** The code of the person's consent. @throws FloorwalkerError `tool_unavailable` */
  codeOf(answer: URLSearchParams): string {
    const issuer = answer.get('iss');
    // As it is written: two addresses that mean the same are still two issuers (RFC 9207, section 2.4).
    if (issuer === null ? this.#saysWhoItIs : issuer !== this.#issuer)
      throw notTheirs('the answer is not from the authorization server that was asked');
    const code = answer.get('code');
    if (code !== null) return code;
    throw notTheirs(`the authorization was not given (${(answer.get('error') ?? 'no code').slice(0, 100)})`);
  }
}

function notTheirs(why: string): FloorwalkerError {
  return new FloorwalkerError('tool_unavailable', why);
}
