import { randomUUID } from 'node:crypto'
import { isIPv6 } from 'node:net'
import type { Metadata } from '@grpc/grpc-js'
import type { CallerIdentity } from '../broker/broker.ts'
import type { Endpoints } from './newest-connections.ts'

/** Where a call came from: what ties its log lines, its audit records and the caller's own log together. */
export type CallOrigin = NonNullable<CallerIdentity['origin']>

const HEADER = 'x-request-id'
/** What proxies and tracers use (UUIDs, ULIDs, trace ids); anything else is not taken over. */
const REQUEST_ID = /^[A-Za-z0-9._:/+=-]{1,128}$/

/**
 * The origin of a call.
 *
 * @param endpoints as they were when the call came: of one that was given up grpc-js does not know them any more, and
 *   what it has done is recorded all the same
 */
export function originOf(metadata: Metadata, endpoints: Endpoints): CallOrigin {
  let made: string | undefined
  return {
    get requestId() {
      made ??= givenId(metadata) ?? randomUUID()
      return made
    },
    get peer() {
      return peerOf(endpoints)
    },
  }
}

/** Without brackets nobody could tell the port from the end of an IPv6 address. Those of a socket file have none. */
function peerOf({ remoteAddress, remotePort }: Endpoints): string {
  if (remoteAddress === undefined) return 'unknown'
  return `${isIPv6(remoteAddress) ? `[${remoteAddress}]` : remoteAddress}:${remotePort}`
}

/** The caller's own id, if it has sent exactly one that can be written anywhere as it is. */
function givenId(metadata: Metadata): string | undefined {
  const [id, ...more] = metadata.get(HEADER)
  return typeof id === 'string' && more.length === 0 && REQUEST_ID.test(id) ? id : undefined
}
