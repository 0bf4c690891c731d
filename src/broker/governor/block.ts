import type { Clock } from '../ports.ts'
import type { Gate } from './gate.ts'

/** How long a provider that limits us without saying for how long is left alone. */
const RATE_LIMITED_DEFAULT_MS = 10_000

/** A gate that knows its end. */
export interface Block extends Gate {
  /** By the wall clock; absent = open. */
  until(): number | undefined
}

/** Closed for everything while the provider asks us to wait (429, `Retry-After`). */
export function createBlock(clock: Clock): Block {
  let endsAt = Number.NEGATIVE_INFINITY
  const waitMs = () => Math.max(0, endsAt - clock.monotonic())

  return {
    why: 'rate_limited',
    waitMs,
    isClosed: () => waitMs() > 0,
    until: () => (waitMs() > 0 ? clock.now() + waitMs() : undefined),
    learn({ kind, retryAfterMs }) {
      if (kind !== 'limited') return
      endsAt = Math.max(endsAt, clock.monotonic() + (retryAfterMs ?? RATE_LIMITED_DEFAULT_MS))
    },
  }
}
