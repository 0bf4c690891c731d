import type { ReleaseRow } from './record-rows.ts'
import type { ConnectionName, StoredState } from './rows.ts'

export interface ConnectionQuery {
  readonly provider?: string
  readonly state?: StoredState
  readonly after?: ConnectionName
  /** Those that come before it in the order of the list; absent = to the last. */
  readonly before?: ConnectionName
  readonly limit: number
}

export interface DueQuery {
  readonly provider: string
  /** Due are those with `nextRefreshAt` at or before it. */
  readonly before: number
  /** At least 1. */
  readonly limit: number
  /** true: only those with an outcome that nobody knows; false: only the others. */
  readonly outcomeUnknown: boolean
}

export interface ConnectionCount {
  readonly provider: string
  readonly state: StoredState
  readonly count: number
}

export interface ReleaseQuery {
  readonly version?: string
  /** Keyed fingerprint of an access token; not together with `version`. */
  readonly fingerprint?: string
  /** Releases that it refuses are passed over like those that do not match. Default: none. */
  readonly visible?: (row: ReleaseRow) => boolean
  /** At least 1. */
  readonly limit: number
}

/** By how much what was planned and told on a clock comes too late, because the clock was set back. */
export interface ScheduleShift {
  /** What is due by then stays. */
  readonly after: number
  readonly byMs: number
  /**
   * By when everything is due and every access token beside a refresh token has ended, because nobody knows by how
   * much more the clock was set back; else any time.
   */
  readonly latest: number
  /** By how much an access token without a refresh token ends earlier: it is the only one there is. */
  readonly irreplaceableByMs: number
}
