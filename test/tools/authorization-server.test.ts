import type { OAuthDiscoveryState } from '@modelcontextprotocol/sdk/client/auth.js';
import { describe, expect, test } from 'vitest';
import { AuthorizationServer } from '../../src/tools/authorization-server.ts';

const ISSUER = 'https://login.example';

function found(metadata: object | undefined, url = ISSUER): OAuthDiscoveryState {
  return {
    authorizationServerUrl: url,
    authorizationServerMetadata: metadata as OAuthDiscoveryState['authorizationServerMetadata'],
  };
}
const answer = (values: Record<string, string>) => new URLSearchParams(values);

describe('metadata of an authorization server', () => {
  test.each(['https://evil.example', 'https://login.example/tenant', 'https://LOGIN.example'])(
    'is refused when it calls itself %s',
    (issuer) => expect(() => new AuthorizationServer(found({ issuer }))).toThrow('another name'),
  );

  test('is accepted under the name that the operator gave', () => {
    const state = found({ issuer: 'https://tenant.example/' });
    expect(new AuthorizationServer(state, 'https://tenant.example/').codeOf(answer({ code: 'c' }))).toBe('c');
  });

  test('may leave out the slash that an origin has as an address', () => {
    const server = new AuthorizationServer(found({ issuer: ISSUER }, `${ISSUER}/`));
    expect(server.codeOf(answer({ code: 'c', iss: ISSUER }))).toBe('c');
  });
});

describe('the answer of an authorization server', () => {
  const said = { issuer: ISSUER, authorization_response_iss_parameter_supported: true };
  test.each([
    ['names itself as announced', said, { iss: ISSUER }, true],
    ['names itself unannounced', { issuer: ISSUER }, { iss: ISSUER }, true],
    ['names nobody and announced nothing', { issuer: ISSUER }, {}, true],
    ['names itself without metadata', undefined, { iss: ISSUER }, true],
    ['names nobody, against its announcement', said, {}, false],
    ['names another', said, { iss: 'https://evil.example' }, false],
    ['names another unannounced', { issuer: ISSUER }, { iss: 'https://evil.example' }, false],
    ['names another without metadata', undefined, { iss: 'https://evil.example' }, false],
    ['names itself in other letters', said, { iss: 'https://LOGIN.example' }, false],
    ['names itself with a port', said, { iss: `${ISSUER}:443` }, false],
    ['names itself with a slash', said, { iss: `${ISSUER}/` }, false],
  ])('%s', (_name, metadata, values, isGood) => {
    const server = new AuthorizationServer(found(metadata));
    const read = () => server.codeOf(answer({ code: 'c', ...(values as Record<string, string>) }));
    if (isGood) expect(read()).toBe('c');
    else expect(read).toThrow('not from the authorization server');
  });

  test('without a code says why', () => {
    const server = new AuthorizationServer(found(said));
    expect(() => server.codeOf(answer({ iss: ISSUER, error: 'access_denied' }))).toThrow('access_denied');
  });
});
