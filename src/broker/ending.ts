import type { ConnectionRow } from '../store/rows.ts'

/** How long before a grant ends for good somebody should hear of it. */
const ENDING_SOON_MS = 14 * 86_400_000
/**
 * A refresh token that each refresh prolongs is worth a warning in the last part of its life alone: it is kept alive at
 * half of it, so that then refreshes have failed for long.
 */
const LEFT_SHARE = 0.25

/** What ends: the grant, whatever is done; or the refresh token, unless a refresh prolongs it. */
export interface Ending {
  readonly of: 'grant' | 'refresh_token'
  /** Milliseconds since the epoch; may have passed. */
  readonly at: number
}

/** The first end of a connection that somebody should hear of now; `undefined` = none is near, or it is over anyway. */
export function endingSoon(row: ConnectionRow, now: number): Ending | undefined {
  if (row.state === 'REAUTH_REQUIRED') return undefined
  const known = [grantEnd(row), refreshTokenEnd(row)].filter(end => end !== undefined)
  const [first, second] = known.filter(({ at, noticeMs }) => at - now < noticeMs)
  // A refresh token that ends with its grant is not prolonged.
  return second !== undefined && first !== undefined && second.at < first.at ? second : first
}

interface KnownEnd extends Ending {
  /** How long before it comes it is worth a warning. */
  readonly noticeMs: number
}

function grantEnd({ grantExpiresAt: at }: ConnectionRow): KnownEnd | undefined {
  return at === undefined ? undefined : { of: 'grant', at, noticeMs: ENDING_SOON_MS }
}

function refreshTokenEnd(row: ConnectionRow): KnownEnd | undefined {
  const { sealedRefreshToken, refreshExpiresAt: at, obtainedAt } = row
  if (sealedRefreshToken === undefined || at === undefined) return undefined
  return { of: 'refresh_token', at, noticeMs: Math.min(ENDING_SOON_MS, (at - obtainedAt) * LEFT_SHARE) }
}
