import type { Definition } from '../../providers/definition.ts'
import { renewalMargin } from '../tokens/freshness.ts'

/** Access tokens are renewed ahead only for connections that were used this recently. */
export const USED_WITHIN_MS = 7 * 86_400_000
/** Renewals are spread over this share of the margin, so that tokens of one moment do not renew in one. */
const JITTER_SHARE = 0.2

/** A refresh token that is about to end is not worth a refresh more often than that. */
const KEEP_ALIVE_MIN_MS = 60_000

/** What decides when a connection is refreshed next. Times are milliseconds since the epoch. */
export interface ScheduleInput {
  readonly obtainedAt: number
  readonly expiresAt?: number
  readonly refreshExpiresAt?: number
  readonly lastUsedAt: number
  readonly hasRefreshToken: boolean
}

/**
 * When the renewer should look at a connection next: before its access token expires if it is in use, before
 * its refresh token lapses in any case.
 *
 * @param fraction uniform in [0, 1), for jitter
 * @returns `undefined` if there is nothing to do ever
 */
export function nextRefresh(
  refresh: Definition['refresh'],
  input: ScheduleInput,
  now: number,
  fraction: number,
): number | undefined {
  if (refresh.mode === 'refresh_token' && !input.hasRefreshToken) return input.expiresAt
  const used = now - input.lastUsedAt <= USED_WITHIN_MS
  const times = [
    used ? renewalTime(refresh, input, fraction) : undefined,
    keepAliveTime(refresh, input, fraction),
  ]
  const known = times.filter(time => time !== undefined)
  if (known.length === 0) return undefined
  const earliest = input.obtainedAt + (refresh.min_age ?? 0)
  return Math.max(Math.min(...known), earliest)
}

function renewalTime(
  refresh: Definition['refresh'],
  { obtainedAt, expiresAt }: ScheduleInput,
  fraction: number,
): number | undefined {
  if (expiresAt === undefined) return undefined
  const margin = renewalMargin(refresh.margin, expiresAt - obtainedAt)
  // Where a refresh kills the token that callers hold, it comes as late as is safe: no jitter ahead.
  const jitter = refresh.kills_access_token ? 0 : margin * JITTER_SHARE * fraction
  return Math.round(expiresAt - margin - jitter)
}

/** Half the refresh token's life is early enough to survive an outage, where the definition states nothing. */
function keepAliveTime(
  { keep_alive }: Definition['refresh'],
  { obtainedAt, refreshExpiresAt }: ScheduleInput,
  fraction: number,
): number | undefined {
  const stated = keep_alive === undefined ? undefined : obtainedAt + keep_alive * (1 - 0.1 * fraction)
  const half = refreshExpiresAt === undefined ? undefined : (refreshExpiresAt - obtainedAt) / 2
  // An end that refreshes do not move comes nearer: its halves would become a loop.
  const halfLife = half === undefined || half < KEEP_ALIVE_MIN_MS ? undefined : obtainedAt + half
  const times = [stated, halfLife].filter(time => time !== undefined)
  return times.length === 0 ? undefined : Math.round(Math.min(...times))
}
