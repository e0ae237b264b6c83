import { describe, expect, it } from 'vitest';
import { addressHasher, clientAddress, parseProxies } from '../../src/api/client-address.ts';

const NOBODY = parseProxies([]);
const PROXIES = parseProxies(['10.0.0.0/8', '2001:db8::1']);

describe('the address that limits count', () => {
  it('is the socket’s when no proxy is trusted, whatever the client claims', () => {
    expect(clientAddress('203.0.113.9', '198.51.100.1', NOBODY)).toBe('203.0.113.9');
  });

  it('is the one that a trusted proxy saw', () => {
    expect(clientAddress('10.1.2.3', '198.51.100.1', PROXIES)).toBe('198.51.100.1');
  });

  it('is not one that the client put in front of what the proxy wrote', () => {
    expect(clientAddress('10.1.2.3', '192.0.2.66, 198.51.100.1', PROXIES)).toBe('198.51.100.1');
  });

  it('is found through several trusted proxies', () => {
    expect(clientAddress('10.1.2.3', '192.0.2.66, 198.51.100.1, 10.9.9.9', PROXIES)).toBe('198.51.100.1');
  });

  it('stays the proxy’s when what it passed on is no address', () => {
    expect(clientAddress('10.1.2.3', "'; drop table interactions; --", PROXIES)).toBe('10.1.2.3');
  });

  it('is the same over IPv4 and over an IPv6 socket that carries IPv4', () => {
    expect(clientAddress('::ffff:203.0.113.9', undefined, NOBODY)).toBe('203.0.113.9');
  });

  it('is the network for IPv6, since a customer has all of its addresses', () => {
    const one = clientAddress('2001:db8:1:2:aaaa::1', undefined, NOBODY);
    expect(clientAddress('2001:db8:1:2:bbbb::9', undefined, NOBODY)).toBe(one);
    expect(clientAddress('2001:db8:1:3::1', undefined, NOBODY)).not.toBe(one);
  });

  it('takes ports and brackets of proxies off', () => {
    expect(clientAddress('10.1.2.3', '198.51.100.1:4711', PROXIES)).toBe('198.51.100.1');
    expect(clientAddress('10.1.2.3', '[2001:db8:5::7]:443', PROXIES)).toBe('2001:db8:5::/64');
  });

  it('is kept as a keyed hash only', () => {
    const hash = addressHasher('key')('203.0.113.9');
    expect(hash).toMatch(/^[0-9a-f]{64}$/);
    expect(addressHasher('other key')('203.0.113.9')).not.toBe(hash);
  });

  it('refuses a trusted proxy that is neither an address nor a range', () => {
    expect(() => parseProxies(['everybody'])).toThrow(/everybody/);
  });
});
