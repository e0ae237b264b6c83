import { lookup as systemLookup } from 'node:dns';
import { isIP, type LookupFunction } from 'node:net';
import ipaddr from 'ipaddr.js';
import { FloorwalkerError } from '../errors.ts';

export type ResolveAddresses = (
  hostname: string,
  callback: (error: Error | null, addresses: { address: string; family: number }[]) => void,
) => void;

const resolveBySystem: ResolveAddresses = (hostname, callback) => {
  systemLookup(hostname, { all: true }, (error, addresses) => callback(error, addresses ?? []));
};

/**
 * True for addresses of the public internet only. IPv4 in IPv6 clothing (mapped, compatible, NAT64, 6to4,
 * Teredo) is refused as a whole: no tool server needs it and each form is a way around the check.
 */
export function isPublicAddress(address: string): boolean {
  if (!ipaddr.isValid(address)) return false;
  const parsed = ipaddr.parse(address);
  if (parsed.range() !== 'unicast') return false;
  // Of IPv6, only 2000::/3 is global unicast (RFC 4291, IANA registry); ipaddr.js counts the rest as unicast.
  return parsed.kind() === 'ipv4' || (ipaddr.IPv6.parse(address).parts[0] ?? 0) >> 13 === 1;
}

function refusal(host: string, address: string): FloorwalkerError {
  return new FloorwalkerError('tool_address_refused', 'The address of a tool server is not public.', {
    details: { host, address },
  });
}

/** Checks a host that is written as an address: those never come to the resolver. */
export function checkLiteralHost(hostname: string): void {
  const bare = hostname.replace(/^\[|\]$/g, '');
  if (isIP(bare) !== 0 && !isPublicAddress(bare)) throw refusal(hostname, bare);
}

/**
 * A lookup for sockets that hands out checked addresses only. The socket connects to what was checked, so a
 * name that answers differently the second time (DNS rebinding) gains nothing. One private address among
 * several refuses the name.
 */
export function checkedLookup(resolve: ResolveAddresses = resolveBySystem): LookupFunction {
  return (hostname, options, callback) => {
    resolve(hostname, (error, addresses) => {
      if (error) return callback(error, '');
      const first = addresses[0];
      if (first === undefined) return callback(new Error(`No address for ${hostname}`), '');
      const refused = addresses.find(({ address }) => !isPublicAddress(address));
      if (refused) return callback(refusal(hostname, refused.address), '');
      if (options.all) return callback(null, addresses);
      return callback(null, first.address, first.family);
    });
  };
}
