import type { AuditEntry } from './record-rows.ts'
import type { ConnectionName } from './rows.ts'

/** How the connections of an accepted older copy are checked. */
export interface RestoreCheck {
  readonly now: number
  /** Providers whose refresh tokens are not replaced by a refresh: an old copy of them is as good as the new one. */
  readonly exempt: readonly string[]
  /** Milliseconds between two connections becoming due. */
  readonly everyMs: number
  /** Makes the audit entry, of how many are checked; must not throw. Absent = none is written. */
  readonly entryOf?: (count: number) => AuditEntry
}

/** What became of the connections of an accepted older copy. */
export interface RestoreReport {
  readonly acceptedAt: number
  /** When the outcome was reported; absent = not yet. */
  readonly reportedAt?: number
  /** Refreshed since, consented anew since, or disconnected since. */
  readonly survived: number
  /** Their grant is dead: REAUTH_REQUIRED. */
  readonly lost: number
  /** Not checked yet. */
  readonly pending: number
  /** Names of those that are lost, at most {@link lostNamesMax}, by provider and account. */
  readonly lostConnections: readonly ConnectionName[]
}

/** More than a person reads; `listConnections` has all of them by their state. */
export const lostNamesMax = 100
