import type { Clock } from '../ports.ts'
import { createProbe, type Latch } from './gate.ts'
import { createWindow } from './window.ts'

/** More than this share of the answers, and at least so many, is a fault of the provider, not of its grants. */
const SHARE = 0.2
const REFUSALS_MIN = 10
const WINDOW_MS = 300_000
/** A provider that has refused everything for so long means it. */
const DISBELIEF_MS = 3_600_000
/** Meanwhile one background request in that time finds out whether it still does. */
const PROBE_INTERVAL_MS = 60_000

/** Closed for background work while a provider refuses so many grants that none of its refusals is believed. */
export function createRefusals(clock: Clock): Latch {
  const probe = createProbe(PROBE_INTERVAL_MS, clock)
  const answers = createWindow(WINDOW_MS)
  let latch: { readonly at: number; readonly since: number } | undefined
  // After an hour without a success refusals count, until there is one.
  let believed = false

  function current(): typeof latch {
    if (latch !== undefined && clock.monotonic() - latch.at >= DISBELIEF_MS) {
      latch = undefined
      believed = true
    }
    return latch
  }

  function isMass(): boolean {
    const { all, marked } = answers.count(clock.monotonic())
    return marked >= REFUSALS_MIN && marked > all * SHARE
  }

  return {
    why: 'refusing',
    probe,
    waitMs: probe.waitMs,
    isClosed: ({ urgency, purpose }) =>
      current() !== undefined && urgency !== 'demand' && purpose === 'grant',
    since: () => current()?.since,
    learn({ kind, explained }) {
      const now = clock.monotonic()
      if (kind === 'succeeded') {
        latch = undefined
        believed = false
      }
      if (kind === 'succeeded' || kind === 'refused' || kind === 'recognised') {
        answers.add(now, kind === 'refused' && !explained)
      }
      if (kind === 'refused' && !explained && current() === undefined && !believed && isMass()) {
        latch = { at: now, since: clock.now() }
        probe.arm()
      }
    },
  }
}
