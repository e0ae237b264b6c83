import { createHmac } from 'node:crypto';
import ipaddr from 'ipaddr.js';
import { FloorwalkerError } from '../errors.ts';

type Address = ipaddr.IPv4 | ipaddr.IPv6;
type Range = [Address, number];

/** IPv4 that arrives on an IPv6 socket (::ffff:203.0.113.7) is the same customer as on an IPv4 one. */
function parseAddress(text: string): Address | undefined {
  const trimmed = text.trim().replace(/^\[(.*)\](?::\d+)?$/, '$1');
  const bare = /^\d+\.\d+\.\d+\.\d+:\d+$/.test(trimmed) ? trimmed.slice(0, trimmed.indexOf(':')) : trimmed;
  return ipaddr.isValid(bare) ? ipaddr.process(bare) : undefined;
}

/** @throws FloorwalkerError `config_invalid` for an entry that is neither an address nor a CIDR range */
export function parseProxies(entries: readonly string[]): Range[] {
  return entries.map((entry) => {
    if (ipaddr.isValidCIDR(entry)) return ipaddr.parseCIDR(entry);
    const address = parseAddress(entry);
    if (!address) {
      throw new FloorwalkerError(
        'config_invalid',
        `TRUST_PROXY: "${entry}" is neither an address nor a range.`,
        {
          remedy: 'Write addresses or ranges separated by commas, for example 10.0.0.0/8.',
        },
      );
    }
    return [address, address.kind() === 'ipv4' ? 32 : 128];
  });
}

function isTrusted(address: Address, proxies: readonly Range[]): boolean {
  return proxies.some(([base, bits]) => base.kind() === address.kind() && address.match(base, bits));
}

/**
 * Who is asking. `X-Forwarded-For` is believed only as far as trusted proxies wrote it: read from the right,
 * the first hop that is no trusted proxy is the client. Whatever stands left of it is the client's own claim.
 */
export function clientAddress(
  socketAddress: string | undefined,
  forwardedFor: string | undefined,
  proxies: readonly Range[],
): string {
  let current = parseAddress(socketAddress ?? '');
  if (!current) return 'unknown';
  const hops = (forwardedFor ?? '').split(',').reverse();
  for (const hop of hops) {
    if (!isTrusted(current, proxies)) break;
    const next = parseAddress(hop);
    if (!next) break;
    current = next;
  }
  return limitedAddress(current);
}

/** IPv6 customers own whole networks: a limit on one of 2^64 addresses would limit nothing. */
function limitedAddress(address: Address): string {
  if (address.kind() === 'ipv4') return address.toString();
  const network = ipaddr.IPv6.networkAddressFromCIDR(`${address.toString()}/64`);
  return `${network.toString()}/64`;
}

/**
 * What the database keeps instead of the address. Keyed, because the IPv4 space is small enough to try out
 * whole; the key is the same in every API process of an installation, so that they count together.
 */
export function addressHasher(key: string): (address: string) => string {
  return (address) => createHmac('sha256', key).update(`floorwalker address ${address}`).digest('hex');
}
