import { BrokerError } from '../errors.ts'
import type { Clock } from '../ports.ts'

/** How long a caller waits for the refresh in flight at the most. */
const WAIT_MAX_MS = 10_000
const RETRY_AFTER_MS = 1_000

/**
 * Waits for a refresh, until the caller gives up or for {@link WAIT_MAX_MS}. The refresh is not touched.
 *
 * @throws BrokerError `PROVIDER_UNAVAILABLE`
 */
export async function waitFor<T>(
  refresh: Promise<T>,
  clock: Clock,
  signal: AbortSignal | undefined,
  provider: string,
): Promise<T> {
  const patience = Promise.withResolvers<never>()
  const giveUp = () =>
    patience.reject(
      new BrokerError('PROVIDER_UNAVAILABLE', `${provider} has not answered yet; the refresh goes on`, {
        metadata: { provider },
        retryAfterMs: RETRY_AFTER_MS,
      }),
    )
  const cancel = clock.schedule(WAIT_MAX_MS, giveUp)
  signal?.addEventListener('abort', giveUp, { once: true })
  if (signal?.aborted) giveUp()
  try {
    return await Promise.race([refresh, patience.promise])
  } finally {
    cancel()
    signal?.removeEventListener('abort', giveUp)
    // Whoever is left when the last caller has gone must not be an unhandled rejection.
    refresh.catch(() => {})
  }
}
