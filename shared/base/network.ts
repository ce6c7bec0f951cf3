import { isIPv6, SocketAddress } from 'node:net';

const GROUPS = 8;
/** A provider gives each subscriber of IPv6 at least this many leading groups of 16 bits: 64 bits. */
const SUBSCRIBER_GROUPS = 4;

/**
 * The network whose requests are counted together: an address of IPv4 itself, of IPv6 its first 64 bits (`2001:db8:0:1::/64`), since one
 * subscriber may use all addresses below them. An address of IPv4 within IPv6 is the former.
 */
export function networkOf(address: string | undefined): string | undefined {
  if (address === undefined || !isIPv6(address)) return address;
  const bare = new SocketAddress({ address: address.replace(/%.*$/, ''), family: 'ipv6' }).address;
  const [, mapped] = /^::ffff:(\d+\.\d+\.\d+\.\d+)$/i.exec(bare) ?? [];
  return mapped ?? `${groupsOf(bare).slice(0, SUBSCRIBER_GROUPS).join(':')}::/64`;
}

/** All eight groups, zeros written out. */
function groupsOf(address: string): string[] {
  const [head = '', tail] = address.split('::');
  const before = head.split(':').filter(Boolean);
  const after = tail?.split(':').filter(Boolean) ?? [];
  const zeros = Array.from({ length: Math.max(0, GROUPS - before.length - after.length) }, () => '0');
  return [...before, ...(tail === undefined ? [] : zeros), ...after].map((group) => Number.parseInt(group, 16).toString(16));
}
