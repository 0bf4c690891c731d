import { BrokerError } from '../broker/errors.ts'
import { STREAMS_THAT_LAST_MAX } from './limits.ts'
import { type Endpoints, endpointsOf } from './newest-connections.ts'

/** Milliseconds after which a connection may carry one more, if others have ended. */
const RETRY_AFTER_MS = 10_000

/** Keeps the streams that last from taking a connection whole, which calls and other callers may share. */
export interface SharedConnections {
  /**
   * Counts a stream that begins; the returned function is called once when it has ended.
   *
   * @throws BrokerError `RATE_LIMITED`
   */
  enter(endpoints: Endpoints): () => void
}

/** Creates the limit over all connections; it remembers those that carry such streams. */
export function createSharedConnections(): SharedConnections {
  const open = new Map<string, number>()
  return {
    enter(endpoints) {
      const key = endpointsOf(endpoints)
      const before = open.get(key) ?? 0
      if (before >= STREAMS_THAT_LAST_MAX) throw tooMany()
      open.set(key, before + 1)
      return () => {
        const left = (open.get(key) ?? 1) - 1
        if (left === 0) open.delete(key)
        else open.set(key, left)
      }
    },
  }
}

function tooMany(): BrokerError {
  const message = `this connection carries ${STREAMS_THAT_LAST_MAX} open streams already: open another connection`
  return new BrokerError('RATE_LIMITED', message, {
    metadata: { limit: String(STREAMS_THAT_LAST_MAX) },
    retryAfterMs: RETRY_AFTER_MS,
    help: 'put many connections on one watch; behind a proxy, let it open more connections to the broker',
  })
}
