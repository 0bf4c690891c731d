import { AdminServiceService, type Consent, ConsentState } from '../gen/tokenbroker/v1/admin.ts'
import type { BrokerClient } from './client.ts'
import { CliError, EXIT } from './exit.ts'
import type { Io } from './io.ts'

/** Quick enough for a person who has just pressed "allow", slow enough to cost nothing. */
const POLL_INTERVAL_MS = 1_000
/** A broker that restarts is back before that; the link survives the restart. */
export const POLL_FAILURES_MAX = 60

/** What ends the waiting beside an outcome. */
export interface Patience {
  /** Milliseconds since the epoch. */
  readonly until: number
  /** Fires when the person at the terminal stops it. */
  readonly interrupted: AbortSignal
}

/**
 * Asks how a consent went until it has an outcome or the patience ends.
 *
 * @returns the consent; still pending if the patience ended; undefined if the broker could not be asked until then
 * @throws CliError if the broker refuses, or stays away for {@link POLL_FAILURES_MAX} questions
 */
export async function awaitConsent(
  broker: BrokerClient,
  consentId: string,
  { until, interrupted }: Patience,
  io: Pick<Io, 'now' | 'sleep'>,
): Promise<Consent | undefined> {
  let latest: Consent | undefined
  let failures = 0
  for (;;) {
    try {
      latest = (await broker.call(AdminServiceService.getConsent, { consentId })).consent
      failures = 0
    } catch (error) {
      if (!isPassing(error) || ++failures >= POLL_FAILURES_MAX) throw error
    }
    if (latest !== undefined && !isOpen(latest)) return latest
    // The last question comes after the end, so that a link which ends then is reported as expired.
    if (interrupted.aborted || io.now() >= until) return latest
    await io.sleep(POLL_INTERVAL_MS, interrupted)
  }
}

/** Whether the consent may still get an outcome. */
function isOpen({ state }: Consent): boolean {
  return state === ConsentState.PENDING || state === ConsentState.HELD
}

function isPassing(error: unknown): boolean {
  return (
    error instanceof CliError && (error.exitCode === EXIT.unavailable || error.retryAfterMs !== undefined)
  )
}
