import { BrokerError } from '../errors.ts'
import type { Clock } from '../ports.ts'

/** Reported rejections cause at most that many refreshes of a connection in a minute. */
const REFRESHES_MAX = 3
const WINDOW_MS = 60_000
/** How many connections are counted at once; the one counted longest ago is forgotten first. */
const COUNTED_MAX = 10_000

/** Keeps callers' reports of rejected tokens from burning a provider's quota. */
export interface RejectionLimit {
  /**
   * Counts a refresh that a report is about to start.
   *
   * @throws BrokerError `RATE_LIMITED`
   */
  admit(connectionId: string): void
}

/** Creates the limit over all connections. */
export function createRejectionLimit(clock: Clock): RejectionLimit {
  const recent = new Map<string, readonly number[]>()
  return {
    admit(connectionId) {
      const now = clock.monotonic()
      const kept = (recent.get(connectionId) ?? []).filter(at => now - at < WINDOW_MS)
      const first = kept[0]
      if (first !== undefined && kept.length >= REFRESHES_MAX) {
        throw new BrokerError('RATE_LIMITED', 'too many rejected versions of this connection in a minute', {
          retryAfterMs: first + WINDOW_MS - now,
        })
      }
      recent.delete(connectionId)
      recent.set(connectionId, [...kept, now])
      const oldest = recent.keys().next().value
      if (recent.size > COUNTED_MAX && oldest !== undefined) recent.delete(oldest)
    },
  }
}
