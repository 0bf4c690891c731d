import type { Failure } from '../../oauth/failure.ts'

/** Who goes first: an unknown outcome is found out before a caller is served, a caller before a renewal. */
export type Urgency = 'recovery' | 'demand' | 'renewal'

/** Decides when one provider is sent a request; shared by all its connections. */
export interface Governor {
  /** Waits for its turn within concurrency and rate. */
  enter(urgency: Urgency, options?: EnterOptions): Ticket
  /**
   * How many more background requests may be started now: 0 while closed, at most 1 while it probes.
   *
   * @param urgency `recovery` goes before callers, however many wait. Default: `renewal`
   */
  room(urgency?: 'recovery' | 'renewal'): number
  /** Turns away all who wait for their turn now; requests that were sent go on. */
  dismiss(): void
  /** Whether refusals of grants are so many that none is believed. */
  holdsVerdicts(): boolean
  snapshot(): GovernorSnapshot
}

/** What more the governor may know of a request. */
export interface EnterOptions {
  /**
   * Whether the connection's last attempt failed; such passes come from the retry budget, and go back to it if they
   * succeed. Default false.
   */
  readonly retry?: boolean
  /**
   * What is asked. Only a `grant` (the default: tokens) shows whether the provider works and takes our client; the
   * others are held to the same limits, and their outcomes count for nothing. While nobody else probes they may, so
   * that they wait for no grant; then any answer shows that the provider is not down, and nothing more.
   */
  readonly purpose?: 'grant' | 'revoke' | 'verify'
  /** How long it waits for its turn at the most, in milliseconds, before it is `busy`. Absent = as long as it takes. */
  readonly patienceMs?: number
}

/** A place in the queue. */
export interface Ticket {
  /** Never rejects. */
  readonly entered: Promise<Entry>
  /** Moves it forward if it still waits for less urgent reasons. */
  hasten(urgency: Urgency): void
}

/** Whether the request may be sent. */
export type Entry = { readonly admitted: true; readonly pass: Pass } | Refusal

/** Why no request may be sent now. */
export interface Refusal {
  readonly admitted: false
  /**
   * The provider refuses our client, asked us to wait, does not answer, or refuses so many grants that none is
   * believed; or too many wait already.
   */
  readonly why: 'misconfigured' | 'rate_limited' | 'down' | 'refusing' | 'busy'
  /** When asking again makes sense. */
  readonly retryAfterMs: number
}

/** The right to send one request; exactly one of its functions is called, once. */
export interface Pass {
  succeeded(): void
  /** @param options.explained the refusal has a cause of this connection's own, such as a revocation */
  failed(failure: Failure, options?: { readonly explained?: boolean }): void
  /** Nothing was sent. */
  unused(): void
}

/** How a provider has been answering. Times are milliseconds since the epoch. */
export interface GovernorSnapshot {
  readonly inFlight: number
  /** Requests that wait for their turn. */
  readonly waiting: number
  readonly consecutiveFailures: number
  readonly lastSuccessAt?: number
  readonly lastFailureAt?: number
  /** Since when the provider has been refusing our client. */
  readonly misconfiguredSince?: number
  /** Until when the provider asked us to wait; absent when it does not. */
  readonly blockedUntil?: number
  /** `open` = the provider does not answer and is only probed. */
  readonly breaker: 'closed' | 'open'
  readonly openSince?: number
  /** Repeated requests that may be sent at once, 0 to 20. */
  readonly retryBudget: number
  /** Since when refusals of grants have been so many that none is believed. */
  readonly holdingVerdictsSince?: number
}
