import type { Clock } from '../ports.ts'
import { createProbe, type Latch } from './gate.ts'
import { createWindow } from './window.ts'

/** So many requests in a row without an answer, and the provider counts as down. */
const CONSECUTIVE = 5
/** Or half of at least so many within the window. */
const SAMPLE_MIN = 10
const WINDOW_MS = 30_000
/** While it is down one request in that time finds out whether it still is. */
const PROBE_INTERVAL_MS = 30_000

/** A circuit breaker: closed for everything while the provider does not answer, until it answers anything. */
export function createBreaker(clock: Clock): Latch {
  const probe = createProbe(PROBE_INTERVAL_MS, clock)
  const recent = createWindow(WINDOW_MS)
  let consecutive = 0
  let since: number | undefined

  function isDown(): boolean {
    const { all, marked } = recent.count(clock.monotonic())
    return consecutive >= CONSECUTIVE || (all >= SAMPLE_MIN && marked * 2 >= all)
  }

  return {
    why: 'down',
    probe,
    waitMs: probe.waitMs,
    isClosed: () => since !== undefined,
    since: () => since,
    learn({ kind }) {
      const silent = kind === 'silent'
      recent.add(clock.monotonic(), silent)
      consecutive = silent ? consecutive + 1 : 0
      if (!silent && since !== undefined) {
        since = undefined
        // What failed before it came back must not close it again.
        recent.clear()
      }
      if (silent && since === undefined && isDown()) {
        since = clock.now()
        probe.arm()
      }
    },
  }
}
