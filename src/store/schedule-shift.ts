import type { ScheduleShift } from './queries.ts'
import type { ConnectionRow } from './rows.ts'

/**
 * The row due earlier by as much as the clock was set back, and its access token obtained and ended earlier; what is
 * due by then anyway stays.
 */
export function broughtForwardRow(row: ConnectionRow, shift: ScheduleShift): ConnectionRow {
  const { nextRefreshAt } = row
  const planned = nextRefreshAt === undefined ? undefined : broughtForward(nextRefreshAt, shift)
  return { ...row, ...tokenTimes(row, shift), nextRefreshAt: planned }
}

/** A time that was planned, as much earlier; what is due by then anyway stays. */
export function broughtForward(at: number, { after, byMs, latest }: ScheduleShift): number {
  return at <= after ? at : Math.min(latest, Math.max(after, at - byMs))
}

/** Nobody can tell whether a token was told its end before or after the clock was wrong: it never lives longer. */
function tokenTimes({ obtainedAt, expiresAt, sealedRefreshToken }: ConnectionRow, shift: ScheduleShift) {
  if (expiresAt === undefined) return {}
  const byMs =
    sealedRefreshToken === undefined
      ? shift.irreplaceableByMs
      : Math.max(shift.byMs, expiresAt - shift.latest)
  // 0 says that nobody knows.
  return { obtainedAt: obtainedAt && obtainedAt - byMs, expiresAt: expiresAt - byMs }
}
