import type { Failure } from '../oauth/failure.ts'
import type { ConnectionRow, StoredState } from '../store/rows.ts'
import type { Reason } from './errors.ts'

/** A refused grant is refused twice before it counts as dead: providers lie for seconds at a time. */
const CONFIRM_DELAY_MS = 30_000
/** Backoff grows from one second to ten minutes. */
const BACKOFF_MIN_MS = 1_000
const BACKOFF_MAX_MS = 600_000
/** A provider that refuses our client is probed once a minute. */
const CLIENT_RETRY_MS = 60_000
/** A connection whose parameters are refused is tried hourly: somebody may have mended the configuration. */
const CONNECTION_RETRY_MS = 3_600_000

/** What a failed refresh means for its connection. */
export interface Verdict {
  readonly state: StoredState
  /** Closed code; empty for ACTIVE. */
  readonly stateReason: string
  /** What callers get when no token is left. */
  readonly reason: Reason
  /** When to try again; absent = not by itself. */
  readonly nextRefreshAt?: number
}

/**
 * Judges a failed refresh. Only a second refusal in a row, half a minute after the first, or an access token that has expired with nothing
 * to renew it, ends a connection; a refused client, an outage or an odd answer never change its state.
 *
 * @param fraction uniform in [0, 1), for jitter
 */
export function judge(row: ConnectionRow, failure: Failure, now: number, fraction: number): Verdict {
  const { state, stateReason } = row
  switch (failure.class) {
    case 'reauthorize':
      return judgeRefusal(row, now)
    case 'connection':
      return {
        state: 'CONNECTION_MISCONFIGURED',
        stateReason: 'PARAMETERS_REFUSED',
        reason: 'CONNECTION_MISCONFIGURED',
        nextRefreshAt: now + CONNECTION_RETRY_MS,
      }
    case 'client':
    case 'unsupported':
      return { state, stateReason, reason: 'PROVIDER_MISCONFIGURED', nextRefreshAt: now + CLIENT_RETRY_MS }
    default: {
      const delay = failure.retryAfterMs ?? backoff(row.failures, fraction)
      return { state, stateReason, reason: 'PROVIDER_UNAVAILABLE', nextRefreshAt: now + delay }
    }
  }
}

/** Judges a failure where no connection exists yet, so that there is no state to change. */
export function judgeFirst(failure: Failure | undefined, now: number, fraction: number): Verdict {
  const config = failure !== undefined && ['client', 'reauthorize', 'unsupported'].includes(failure.class)
  const reason = config
    ? 'PROVIDER_MISCONFIGURED'
    : failure?.class === 'connection'
      ? 'CONNECTION_MISCONFIGURED'
      : 'PROVIDER_UNAVAILABLE'
  const nextRefreshAt = now + (failure?.retryAfterMs ?? backoff(0, fraction))
  return { state: 'ACTIVE', stateReason: '', reason, nextRefreshAt }
}

/** The verdict on a connection that has nothing to be renewed with. */
export const NOTHING_LEFT: Verdict = {
  state: 'REAUTH_REQUIRED',
  stateReason: 'EXPIRED_WITHOUT_REFRESH_TOKEN',
  reason: 'REAUTH_REQUIRED',
}

function judgeRefusal({ state, stateReason, lastError, nextRefreshAt }: ConnectionRow, now: number): Verdict {
  const confirmAt =
    lastError?.class === 'reauthorize' && nextRefreshAt !== undefined ? nextRefreshAt : now + CONFIRM_DELAY_MS
  // A refusal that comes earlier, because somebody asked for a refresh, confirms nothing and delays nothing.
  return state === 'REAUTH_REQUIRED' || now >= confirmAt
    ? { state: 'REAUTH_REQUIRED', stateReason: 'GRANT_REFUSED', reason: 'REAUTH_REQUIRED' }
    : { state, stateReason, reason: 'PROVIDER_UNAVAILABLE', nextRefreshAt: confirmAt }
}

function backoff(failures: number, fraction: number): number {
  const ceiling = Math.min(BACKOFF_MAX_MS, BACKOFF_MIN_MS * 2 ** Math.min(failures, 20))
  return Math.round(ceiling * (0.5 + fraction / 2))
}
