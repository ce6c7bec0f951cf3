import { BlockList, isIP } from 'node:net';
import { webAddress } from './input.ts';

/** Networks that are nobody's on the web: this machine, its neighbours, and those that only carry another address inside. */
const NOT_PUBLIC = new BlockList();
for (const [network, bits] of [
  ['0.0.0.0', 8],
  ['10.0.0.0', 8],
  ['100.64.0.0', 10],
  ['127.0.0.0', 8],
  ['169.254.0.0', 16],
  ['172.16.0.0', 12],
  ['192.0.0.0', 24],
  ['192.0.2.0', 24],
  ['192.168.0.0', 16],
  ['198.18.0.0', 15],
  ['198.51.100.0', 24],
  ['203.0.113.0', 24],
  ['224.0.0.0', 3],
] as const)
  NOT_PUBLIC.addSubnet(network, bits, 'ipv4');

/** Of the sixth version only what is given out for the web, without what carries an address of the fourth. */
const GIVEN_OUT = new BlockList();
GIVEN_OUT.addSubnet('2000::', 3, 'ipv6');
const CARRIERS = new BlockList();
CARRIERS.addSubnet('2001::', 23, 'ipv6');
CARRIERS.addSubnet('2001:db8::', 32, 'ipv6');
CARRIERS.addSubnet('2002::', 16, 'ipv6');

/** Ends of names that no public server has. */
const LOCAL_NAMES = ['localhost', 'local', 'localdomain', 'internal', 'intranet', 'lan', 'home.arpa', 'test', 'invalid', 'onion'];

/**
 * Whether an address names a host of the web, as far as the address itself tells: a name may still lead anywhere, so whoever fetches it looks
 * again at what it leads to. Numbers in any spelling (`2130706433`, `0x7f.1`) are one number once they are read as browsers read them.
 */
export function isPublicAddress(address: string): boolean {
  const url = URL.parse(address);
  if (!url || !/^https?:$/.test(url.protocol) || url.username !== '' || url.password !== '') return false;
  const host = url.hostname.replace(/\.$/, '');
  if (host.startsWith('[')) {
    const bare = host.slice(1, -1);
    return GIVEN_OUT.check(bare, 'ipv6') && !CARRIERS.check(bare, 'ipv6');
  }
  if (isIP(host) === 4) return !NOT_PUBLIC.check(host, 'ipv4');
  return host.includes('.') && !LOCAL_NAMES.some((name) => host === name || host.endsWith(`.${name}`));
}

/** The address of a picture somewhere on the web, for clients to load. Nothing here fetches it. */
export const pictureAddress = () =>
  webAddress().refine(isPublicAddress, 'must be the public address of a picture, without a user name in it');
