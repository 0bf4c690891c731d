import type { Clock } from '../ports.ts'
import { createProbe, type Latch } from './gate.ts'
import { recognises } from './outcome.ts'

/** A provider that refuses our client is asked again this often: configuration does not heal by asking. */
const PROBE_INTERVAL_MS = 60_000

/**
 * Closed while the provider refuses our client. A verification carries no client authentication and goes on. That a
 * revocation was taken opens nothing: many servers revoke whatever anybody sends them.
 */
export function createClientGate(clock: Clock): Latch {
  const probe = createProbe(PROBE_INTERVAL_MS, clock)
  let since: number | undefined

  return {
    why: 'misconfigured',
    probe,
    waitMs: probe.waitMs,
    isClosed: ({ purpose }) => since !== undefined && purpose !== 'verify',
    since: () => since,
    learn(outcome) {
      if (outcome.kind === 'client' && since === undefined) {
        since = clock.now()
        probe.arm()
      }
      // An outage or a limit in between does not mean that the secret is right now.
      if (recognises(outcome)) since = undefined
    },
  }
}
