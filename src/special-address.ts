import { BlockList, isIPv4, isIPv6 } from 'node:net'

/**
 * Addresses that no server of the public internet has, by what they are for.
 *
 * @see https://www.iana.org/assignments/iana-ipv4-special-registry
 * @see https://www.iana.org/assignments/iana-ipv6-special-registry
 */
const SPECIAL: readonly (readonly [purpose: string, ranges: readonly string[]])[] = [
  ['loopback', ['127.0.0.0/8', '::1/128']],
  ['unspecified', ['0.0.0.0/8', '::/128']],
  ['private', ['10.0.0.0/8', '172.16.0.0/12', '192.168.0.0/16']],
  // Cloud providers answer with credentials there.
  ['link-local', ['169.254.0.0/16', 'fe80::/10']],
  ['shared by carriers', ['100.64.0.0/10']],
  ['unique local', ['fc00::/7', 'fec0::/10']],
  ['multicast', ['224.0.0.0/4', 'ff00::/8']],
  ['reserved', ['192.0.0.0/24', '192.88.99.0/24', '240.0.0.0/4', '2001::/23', '5f00::/16']],
  [
    'for tests and documentation',
    ['192.0.2.0/24', '198.18.0.0/15', '198.51.100.0/24', '203.0.113.0/24', '2001:db8::/32', '3fff::/20'],
  ],
  // An IPv4 address inside an IPv6 one: whoever refuses the one must not be led to it by the other.
  ['IPv4-mapped', ['::ffff:0:0/96', '::ffff:0:0:0/96', '::/96']],
  ['NAT64', ['64:ff9b::/96', '64:ff9b:1::/48']],
  ['6to4', ['2002::/16']],
]

/** What is allocated of IPv6; anything else is nobody's. */
const GLOBAL_IPV6 = createNetworks(['2000::/3'])

const PURPOSES = SPECIAL.map(([purpose, ranges]) => ({ purpose, networks: createNetworks(ranges) }))

/** NAT64's own prefix, whose last 32 bits are an IPv4 address (RFC 6052 section 2.1). */
const NAT64 = createNetworks(['64:ff9b::/96'])

/** A set of addresses. */
export interface Networks {
  /** Whether an IP address is one of them. IPv6 without brackets; a zone (`%eth0`) is ignored. */
  contains(address: string): boolean
}

/** Reads ranges such as `10.0.0.0/8`, or single addresses. They have been checked before. */
export function createNetworks(ranges: readonly string[]): Networks {
  // Two lists: Node takes an IPv4-mapped address for an IPv4 one, which for us it is not.
  const lists = { ipv4: new BlockList(), ipv6: new BlockList() }
  for (const range of ranges) {
    const [address = '', prefix] = range.split('/')
    const family = isIPv4(address) ? 'ipv4' : 'ipv6'
    lists[family].addSubnet(address, prefix === undefined ? fullPrefix(family) : Number(prefix), family)
  }
  return {
    contains(address) {
      const bare = address.replace(/%.*$/, '')
      if (isIPv4(bare)) return lists.ipv4.check(bare, 'ipv4')
      return isIPv6(bare) && lists.ipv6.check(bare, 'ipv6')
    },
  }
}

function fullPrefix(family: 'ipv4' | 'ipv6'): number {
  return family === 'ipv4' ? 32 : 128
}

/**
 * What an address is for, if it is not one of the public internet: `private`, `link-local`. What is no IP address
 * is `no address`.
 */
function specialPurpose(address: string): string | undefined {
  const bare = address.replace(/%.*$/, '')
  const found = PURPOSES.find(({ networks }) => networks.contains(bare))
  if (found !== undefined) return found.purpose
  if (isIPv4(bare)) return undefined
  if (!isIPv6(bare)) return 'no address'
  return GLOBAL_IPV6.contains(bare) ? undefined : 'reserved'
}

/**
 * Why an address may not be connected to, or undefined if it may.
 *
 * @param allowed special addresses that may be used all the same
 */
export function forbiddenPurpose(address: string, allowed: Networks): string | undefined {
  const purpose = specialPurpose(address)
  if (purpose === undefined || !allowed.contains(address)) return purpose
  const inner = embeddedIpv4(address)
  return inner === undefined ? undefined : forbiddenPurpose(inner, allowed)
}

/** The IPv4 address behind a NAT64 one: who allows the translator does not yet allow what is behind it. */
function embeddedIpv4(address: string): string | undefined {
  const bare = address.replace(/%.*$/, '')
  if (!NAT64.contains(bare)) return undefined
  // The URL parser writes the last 32 bits as two groups of hex digits.
  const groups = new URL(`http://[${bare}]`).hostname.slice(1, -1).split('::')
  const tail = (groups.at(-1) ?? '').split(':').filter(group => group !== '')
  const [high = 0, low = 0] = ['0', '0', ...tail].slice(-2).map(group => Number.parseInt(group, 16))
  return [high >> 8, high & 255, low >> 8, low & 255].join('.')
}
