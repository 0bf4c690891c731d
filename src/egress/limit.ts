import type { Http } from './http.ts'

/** What one provider is asked at the most. */
export interface RequestLimits {
  /** Requests in flight at once, at least 1. */
  readonly concurrency: number
  /** Requests started in a second, above 0. */
  readonly perSecond: number
}

/** Time, as the limit needs it. */
export interface LimitClock {
  monotonic(): number
  schedule(ms: number, callback: () => void): () => void
}

/**
 * Keeps requests within limits: what is too much waits its turn, first come, first served. Every request to
 * one provider goes through one of these.
 */
export function limitHttp(http: Http, limits: RequestLimits, clock: LimitClock): Http {
  const waiting: (() => void)[] = []
  const spacingMs = 1_000 / limits.perSecond
  let inFlight = 0
  // A second's worth may start at once after a quiet time; from then on they are spaced.
  let earliest = Number.NEGATIVE_INFINITY
  let planned = false

  function pump(): void {
    while (waiting.length > 0 && inFlight < limits.concurrency) {
      const now = clock.monotonic()
      earliest = Math.max(earliest, now - 1_000 + spacingMs)
      if (earliest > now) {
        plan(earliest - now)
        return
      }
      earliest += spacingMs
      inFlight++
      waiting.shift()?.()
    }
  }

  function plan(ms: number): void {
    if (planned) return
    planned = true
    clock.schedule(ms, () => {
      planned = false
      pump()
    })
  }

  return {
    close: http.close,
    async send(request, options) {
      await new Promise<void>(resolve => {
        waiting.push(resolve)
        pump()
      })
      try {
        return await http.send(request, options)
      } finally {
        inFlight--
        pump()
      }
    },
  }
}
