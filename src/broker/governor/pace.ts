import type { Clock } from '../ports.ts'

/** Repeated requests that may be sent at once, and how fast more may follow. */
const RETRY_BUDGET_MAX = 20
const RETRY_BUDGET_PER_SECOND = 2
/** As many as the breaker must see fail: no more are sent before a provider has shown that it works. */
const RAMP_START = 5
/** What a provider showed longer ago than that is not relied on. */
const RAMP_IDLE_MS = 60_000

/** Spaces requests. */
export interface Rate {
  /** How long until the next request may start, in milliseconds; 0 = now. */
  waitMs(): number
  /** One starts now. */
  take(): void
}

/** A second's worth may start at once after a quiet time; from then on they are spaced. */
export function createRate(perSecond: number, clock: Clock): Rate {
  const spacingMs = 1_000 / perSecond
  const creditMs = Math.max(0, 1_000 - spacingMs)
  let earliest = Number.NEGATIVE_INFINITY
  const next = () => Math.max(earliest, clock.monotonic() - creditMs)

  return {
    waitMs: () => Math.max(0, next() - clock.monotonic()),
    take() {
      earliest = next() + spacingMs
    },
  }
}

/** What repeated requests are paid from, so that they never are more than a part of what is sent. */
export interface RetryBudget extends Rate {
  /** Whole requests, 0 to 20. */
  left(): number
  /** One was not sent after all, or has succeeded. */
  giveBack(): void
}

/** Creates a full budget. */
export function createRetryBudget(clock: Clock): RetryBudget {
  let stored = RETRY_BUDGET_MAX
  let countedAt = clock.monotonic()

  function count(): number {
    const now = clock.monotonic()
    stored = Math.min(RETRY_BUDGET_MAX, stored + ((now - countedAt) * RETRY_BUDGET_PER_SECOND) / 1_000)
    countedAt = now
    return stored
  }

  return {
    left: () => Math.floor(count()),
    waitMs: () => Math.max(0, ((1 - count()) * 1_000) / RETRY_BUDGET_PER_SECOND),
    take() {
      stored = count() - 1
    },
    giveBack() {
      stored = Math.min(RETRY_BUDGET_MAX, count() + 1)
    },
  }
}

/** How many requests may be in flight, which a provider earns by answering. */
export interface Ramp {
  width(): number
  grow(): void
  reset(): void
}

/** Creates a ramp that ends at `concurrency`. */
export function createRamp(concurrency: number, clock: Clock): Ramp {
  const start = Math.min(RAMP_START, concurrency)
  let width = start
  let grownAt = clock.monotonic()

  function current(): number {
    if (clock.monotonic() - grownAt >= RAMP_IDLE_MS) width = start
    return width
  }

  return {
    width: current,
    grow() {
      width = Math.min(concurrency, current() + 1)
      grownAt = clock.monotonic()
    },
    reset() {
      width = start
    },
  }
}
