import { isIP, isIPv4, isIPv6 } from 'node:net'
import { Mistake } from './mistake.ts'

const PORT_MAX = 65_535
const ADDRESS = /^(?:\[(?<v6>[0-9A-Fa-f:.]+)\]|(?<name>[A-Za-z0-9.-]+)):(?<port>\d{1,5})$/

/** A host, IPv6 without brackets, and a port. */
export interface Address {
  readonly host: string
  readonly port: number
}

/**
 * Reads `host:port` or `[::1]:port`.
 *
 * @throws Mistake
 */
export function parseAddress(written: string): Address {
  const { v6, name, port } = ADDRESS.exec(written)?.groups ?? {}
  const host = v6 ?? name
  const isHost = host !== undefined && (v6 === undefined || isIPv6(v6))
  if (!isHost || Number(port) > PORT_MAX) {
    throw new Mistake('expected an address such as 127.0.0.1:8085 or [::1]:8085')
  }
  return { host, port: Number(port) }
}

/**
 * Reads one address or a range of them, `10.0.0.1` or `10.0.0.0/8`.
 *
 * @throws Mistake
 */
export function parseNetwork(written: string): string {
  const [address = '', prefix, ...rest] = written.split('/')
  const bits = isIPv4(address) ? 32 : 128
  const isPrefix = prefix === undefined || (/^\d{1,3}$/.test(prefix) && Number(prefix) <= bits)
  if (isIP(address) === 0 || !isPrefix || rest.length > 0) {
    throw new Mistake('expected an IP address or a range such as 10.0.0.0/8')
  }
  return written
}
