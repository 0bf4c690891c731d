import type { AttemptAdoption, AttemptStart, Base, ConnectionRow, GrantBase } from './rows.ts'

/** What every recorded outcome of an attempt ends, success or failure. */
export const attemptEnded = {
  attemptId: undefined,
  attemptStartedAt: undefined,
  leaseOwner: undefined,
  leaseUntil: undefined,
} as const

/**
 * The row after the intent to refresh; `undefined` if the base has moved, somebody else has tried meanwhile, or holds
 * the lease.
 */
export function attemptedRow(row: ConnectionRow, attempt: AttemptStart): ConnectionRow | undefined {
  if (!isBase(row, attempt) || row.failures !== attempt.failures) return undefined
  if (isLeasedToOther(row, attempt)) return undefined
  return {
    ...row,
    attemptId: attempt.attemptId,
    attemptStartedAt: attempt.now,
    outcomeUnknownSince: row.outcomeUnknownSince ?? attempt.now,
    leaseEpoch: row.leaseEpoch + 1,
    leaseOwner: attempt.leaseOwner,
    leaseUntil: attempt.leaseUntil,
  }
}

/** The row with a longer lease; `undefined` if the base has moved or another attempt has begun since. */
export function extendedRow(
  row: ConnectionRow,
  base: Base,
  attemptId: string,
  leaseUntil: number,
): ConnectionRow | undefined {
  return isBase(row, base) && row.attemptId === attemptId ? { ...row, leaseUntil } : undefined
}

/** The row without its attempt; `undefined` if it has none, or one that somebody may still hold. */
export function adoptedRow(row: ConnectionRow, { now, leases }: AttemptAdoption): ConnectionRow | undefined {
  if (row.attemptId === undefined) return undefined
  if (leases === 'expired' && isLeased(row, now)) return undefined
  return { ...row, ...attemptEnded, nextRefreshAt: now }
}

/** Whether the row is still of that grant. */
export function isGrant(row: ConnectionRow, at: GrantBase): boolean {
  return row.id === at.id && row.grantEpoch === at.grantEpoch
}

/** Whether the row still has the tokens that it was read with. */
export function isBase(row: ConnectionRow, base: Base): boolean {
  return isGrant(row, base) && row.counter === base.counter
}

function isLeasedToOther(row: ConnectionRow, { leaseOwner, now }: AttemptStart): boolean {
  return row.leaseOwner !== undefined && row.leaseOwner !== leaseOwner && isLeased(row, now)
}

/** A lease ends at the very millisecond that it names. */
function isLeased({ leaseUntil }: ConnectionRow, now: number): boolean {
  return leaseUntil !== undefined && leaseUntil > now
}
