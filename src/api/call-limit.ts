import { BrokerError } from '../broker/errors.ts'
import { createBuckets } from '../broker/policy/buckets.ts'
import type { Clock } from '../broker/ports.ts'
import type { Caller } from './callers.ts'

/** Keeps each caller within its `calls_per_minute`. */
export interface CallLimit {
  /**
   * Counts a call that begins, whatever becomes of it.
   *
   * @throws BrokerError `RATE_LIMITED`
   */
  admit(caller: Pick<Caller, 'name' | 'callsPerMinute'>): void
}

/** Creates the limit over all callers. */
export function createCallLimit(clock: Pick<Clock, 'monotonic'>): CallLimit {
  const buckets = createBuckets(clock)
  return {
    admit({ name, callsPerMinute }) {
      if (callsPerMinute === undefined) return
      const retryAfterMs = buckets.take(name, callsPerMinute)
      if (retryAfterMs === 0) return
      throw new BrokerError('RATE_LIMITED', `the caller ${name} may make ${callsPerMinute} calls a minute`, {
        metadata: { caller: name, limit: String(callsPerMinute) },
        retryAfterMs,
        help: 'ask less often or watch instead; or ask the operator for a higher calls_per_minute',
      })
    },
  }
}
