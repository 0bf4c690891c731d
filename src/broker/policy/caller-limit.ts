import { BrokerError } from '../errors.ts'
import type { Clock } from '../ports.ts'
import { createBuckets } from './buckets.ts'

/**
 * Refreshes that one caller may force in a minute, on all connections together, by `Refresh` and by reporting
 * rejected tokens: as many as a single provider is sent unless its limits say otherwise.
 */
export const FORCED_PER_CALLER_MAX = 600

/**
 * Access tokens that one caller may have verified in a minute, on all connections together: a tenth of what a single
 * provider is sent unless its limits say otherwise, because renewals share their turns with them.
 */
export const VERIFIED_PER_CALLER_MAX = 60

/** Keeps one caller from burning the quota of every provider, connection by connection. */
export interface CallerLimit {
  /**
   * Counts what a caller is about to have the provider asked.
   *
   * @throws BrokerError `RATE_LIMITED`
   */
  admit(caller: string): void
}

/** Creates the limit of refreshes that are forced, over all callers. */
export function createForcedLimit(clock: Pick<Clock, 'monotonic'>): CallerLimit {
  return createCallerLimit(
    FORCED_PER_CALLER_MAX,
    `may force ${FORCED_PER_CALLER_MAX} refreshes a minute`,
    clock,
  )
}

/** Creates the limit of verifications, over all callers. */
export function createVerifiedLimit(clock: Pick<Clock, 'monotonic'>): CallerLimit {
  return createCallerLimit(
    VERIFIED_PER_CALLER_MAX,
    `may verify ${VERIFIED_PER_CALLER_MAX} tokens a minute`,
    clock,
  )
}

function createCallerLimit(perMinute: number, right: string, clock: Pick<Clock, 'monotonic'>): CallerLimit {
  const buckets = createBuckets(clock)
  return {
    admit(caller) {
      const retryAfterMs = buckets.take(caller, perMinute)
      if (retryAfterMs === 0) return
      throw new BrokerError('RATE_LIMITED', `the caller ${caller} ${right}`, {
        metadata: { caller, limit: String(perMinute) },
        retryAfterMs,
      })
    },
  }
}
