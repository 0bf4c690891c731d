import type { ConnectionRow } from '../../store/rows.ts'
import type { Connection } from '../connection.ts'
import type { BrokerError } from '../errors.ts'
import type { ProviderHandle } from '../providers.ts'
import { refreshError } from '../refresh/refresh-error.ts'

/** While refreshes fail, callers who wait cause at most one request in that time. */
const ON_DEMAND_BACKOFF_MS = 10_000

/**
 * What another request before its time does not mend: a refusal that waits for its confirmation, and parameters that
 * a human has to correct. Who has corrected them need not wait: a consent and a forced refresh are not held off.
 */
const HELD_TO_SCHEDULE: readonly string[] = ['reauthorize', 'connection']

/** Whether the last refresh failed so short a time ago that callers are told so without another one. */
export function isHeldOff(row: ConnectionRow, now: number): boolean {
  if (row.lastError === undefined || row.nextRefreshAt === undefined) return false
  // The provider's governor limits requests while our client is refused, and forgets it at a restart: whoever
  // has corrected the secret is not told of the old one.
  if (row.lastError.class === 'client') return false
  const until = HELD_TO_SCHEDULE.includes(row.lastError.class)
    ? row.nextRefreshAt
    : Math.min(row.nextRefreshAt, row.lastError.at + ON_DEMAND_BACKOFF_MS)
  return now < until && now >= row.lastError.at
}

/** What whoever is held off is told. */
export function lastErrorOf(handle: ProviderHandle, { row }: Connection, now: number): BrokerError {
  const reason = row.state === 'REAUTH_REQUIRED' ? row.state : (row.lastError?.reason ?? '')
  return refreshError(handle, row, { reason, nextRefreshAt: row.nextRefreshAt }, now)
}
