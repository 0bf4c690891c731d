import { randomUUID } from 'node:crypto'
import { isIPv6 } from 'node:net'
import type { Metadata } from '@grpc/grpc-js'
import type { CallerIdentity } from '../broker/broker.ts'

/** Where a call came from: what ties its log lines, its audit records and the caller's own log together. */
export type CallOrigin = NonNullable<CallerIdentity['origin']>

const HEADER = 'x-request-id'
/** What proxies and tracers use (UUIDs, ULIDs, trace ids); anything else is not taken over. */
const REQUEST_ID = /^[A-Za-z0-9._:/+=-]{1,128}$/

/**
 * The origin of a call.
 *
 * @param peer tells address and port, as grpc-js writes them; asked when they are needed, because few calls need them
 */
export function originOf(metadata: Metadata, peer: () => string): CallOrigin {
  let made: string | undefined
  return {
    get requestId() {
      made ??= givenId(metadata) ?? randomUUID()
      return made
    },
    get peer() {
      return withBrackets(peer())
    },
  }
}

/** Without them nobody could tell the port from the end of an IPv6 address. */
function withBrackets(peer: string): string {
  const [, address = '', port] = /^(.*):(\d+)$/.exec(peer) ?? []
  return isIPv6(address) ? `[${address}]:${port}` : peer
}

/** The caller's own id, if it has sent exactly one that can be written anywhere as it is. */
function givenId(metadata: Metadata): string | undefined {
  const [id, ...more] = metadata.get(HEADER)
  return typeof id === 'string' && more.length === 0 && REQUEST_ID.test(id) ? id : undefined
}
