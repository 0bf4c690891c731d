import type { Failure } from '../oauth/failure.ts'
import type { Clock } from './ports.ts'

/** A provider that refuses our client is asked again this often: configuration does not heal by asking. */
const PROBE_INTERVAL_MS = 60_000
/** How long a provider that limits us without saying for how long is left alone. */
const RATE_LIMITED_DEFAULT_MS = 10_000

/** How a provider has been answering; shared by all its connections. */
export interface ProviderHealth {
  /** Whether a request may be sent now. */
  admit(): Admission
  /** Says that a request is sent; call exactly one of the two others afterwards. */
  begin(): void
  succeeded(): void
  failed(failure: Failure): void
  snapshot(): HealthSnapshot
}

export type Admission =
  | { readonly admitted: true }
  | {
      readonly admitted: false
      readonly why: 'misconfigured' | 'rate_limited'
      readonly retryAfterMs: number
    }

/** Times are milliseconds since the epoch. */
export interface HealthSnapshot {
  readonly inFlight: number
  readonly consecutiveFailures: number
  readonly lastSuccessAt?: number
  readonly lastFailureAt?: number
  /** Since when the provider has been refusing our client. */
  readonly misconfiguredSince?: number
  readonly blockedUntil?: number
}

/** Creates the health of a provider that has not been asked yet. */
export function createProviderHealth(clock: Clock): ProviderHealth {
  let state: HealthSnapshot = { inFlight: 0, consecutiveFailures: 0 }
  let probeAt = 0

  function ended(change: Partial<HealthSnapshot>): void {
    state = { ...state, ...change, inFlight: state.inFlight - 1 }
  }

  return {
    snapshot: () => state,
    admit() {
      const now = clock.now()
      if (state.blockedUntil !== undefined && now < state.blockedUntil) {
        return { admitted: false, why: 'rate_limited', retryAfterMs: state.blockedUntil - now }
      }
      if (state.misconfiguredSince !== undefined && now < probeAt) {
        return { admitted: false, why: 'misconfigured', retryAfterMs: probeAt - now }
      }
      return { admitted: true }
    },
    begin() {
      state = { ...state, inFlight: state.inFlight + 1 }
      // While the provider refuses our client, one request at a time finds out whether it still does.
      probeAt = clock.now() + PROBE_INTERVAL_MS
    },
    succeeded() {
      ended({
        consecutiveFailures: 0,
        lastSuccessAt: clock.now(),
        misconfiguredSince: undefined,
        blockedUntil: undefined,
      })
    },
    failed(failure) {
      const now = clock.now()
      const limited = failure.class === 'rate_limited'
      const recognised = failure.class === 'reauthorize' || failure.class === 'connection'
      ended({
        // A verdict about one grant says that the provider works.
        consecutiveFailures: recognised ? 0 : state.consecutiveFailures + 1,
        lastFailureAt: now,
        misconfiguredSince:
          failure.class === 'client'
            ? (state.misconfiguredSince ?? now)
            : recognised
              ? undefined
              : state.misconfiguredSince,
        blockedUntil: limited ? now + (failure.retryAfterMs ?? RATE_LIMITED_DEFAULT_MS) : state.blockedUntil,
      })
    },
  }
}
