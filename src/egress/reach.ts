import { type LookupAddress, lookup as systemLookup } from 'node:dns'
import { isIP, type LookupFunction } from 'node:net'
import { isLoopback } from '../loopback.ts'
import { createNetworks, forbiddenPurpose, type Networks } from '../special-address.ts'
import { HttpError, type Reach } from './http.ts'

const LOOPBACK_RANGES = ['127.0.0.0/8', '::1']
const LOOPBACK = createNetworks(LOOPBACK_RANGES)

/**
 * A name leads, or a URL points, to an address that is not one of the public internet, and that the
 * `allow_networks` of the provider, or of the caller's `jwt`, does not name. No connection was opened.
 */
export class ForbiddenAddressError extends HttpError {
  constructor(host: string, address: string, purpose: string) {
    const where = isIP(host) === 0 ? `${host} leads to ${address}` : address
    const message = `refused to connect to ${where} (${purpose}): if the server is really there, name it in allow_networks of the provider, or of the caller's jwt`
    super('not_sent', message)
    this.name = 'ForbiddenAddressError'
  }
}

/** Resolves a name to all of its addresses, at least one. */
export type Resolve = (host: string) => Promise<readonly LookupAddress[]>

/** Where one request may go. */
export interface Guard {
  /** The same for requests with the same rules. */
  readonly key: string
  /** Resolves a name and hands out only what may be connected to; for `net.connect`. */
  readonly lookup: LookupFunction
}

/**
 * Decides where a request to a URL may go, by address: those that a name has are looked up once, judged, and connected
 * to as they are, so that no second answer leads elsewhere (DNS rebinding). One forbidden address among them is enough
 * to refuse: that a provider lives at both a public and a private one is a mistake, or an attack.
 *
 * @param reach absent = the public internet alone
 * @throws ForbiddenAddressError if the host is an address that may not be connected to
 */
export function createGuard(url: URL, reach: Reach = {}, resolve: Resolve = resolveSystem): Guard {
  const isConfigured = reach.loopbackOrigins?.includes(url.origin) === true
  const ranges = [...(reach.networks ?? []), ...(isConfigured ? LOOPBACK_RANGES : [])]
  const judge = judgeOf(createNetworks(ranges))
  const host = url.hostname.replace(/^\[|\]$/g, '')
  if (isIP(host) !== 0) judge(host, host)
  return { key: ranges.join(' '), lookup: toLookup(resolve, judge) }
}

/** Throws for an address that may not be connected to. */
type Judge = (host: string, address: string) => void

function judgeOf(allowed: Networks): Judge {
  return (host, address) => {
    const purpose = forbiddenPurpose(address, allowed)
    if (purpose !== undefined) throw new ForbiddenAddressError(host, address, purpose)
    // To "localhost" plain http is allowed, so it must be what it says.
    if (isLoopback(host) && !LOOPBACK.contains(address)) {
      throw new ForbiddenAddressError(host, address, 'not this machine')
    }
  }
}

function resolveSystem(host: string): Promise<readonly LookupAddress[]> {
  return new Promise((resolve, reject) => {
    systemLookup(host, { all: true }, (error, addresses) => (error ? reject(error) : resolve(addresses)))
  })
}

function toLookup(resolve: Resolve, judge: Judge): LookupFunction {
  return (host, { all }, callback) => {
    resolve(host).then(
      addresses => {
        try {
          for (const { address } of addresses) judge(host, address)
        } catch (error) {
          return callback(error as Error, [])
        }
        const [first] = addresses
        if (all || first === undefined) callback(null, [...addresses])
        else callback(null, first.address, first.family)
      },
      (error: NodeJS.ErrnoException) => callback(error, []),
    )
  }
}
