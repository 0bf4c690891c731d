import type { ConnectionName, StoredState } from './rows.ts'

export interface ConnectionQuery {
  readonly provider?: string
  readonly state?: StoredState
  readonly after?: ConnectionName
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

/** By how much what is planned after a moment comes too late, because the clock was set back. */
export interface ScheduleShift {
  /** What is due by then stays. */
  readonly after: number
  readonly byMs: number
}
