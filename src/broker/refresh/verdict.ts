import type { Failure } from '../../oauth/failure.ts'
import type { ConnectionRow, StoredState } from '../../store/rows.ts'
import type { Reason } from '../errors.ts'
import { backoff, unknownOutcomeDelay } from './backoff.ts'
import type { Evidence } from './evidence.ts'

/** A refused grant is refused twice before it counts as dead: providers lie for seconds at a time. */
const CONFIRM_DELAY_MS = 30_000
/** After an outcome that nobody knows a refusal is what was feared, and somebody should hear of it at once. */
const CONFIRM_LOSS_DELAY_MS = 1_000
/** A provider that refuses our client is probed once a minute. */
const CLIENT_RETRY_MS = 60_000
/** While so many grants are refused that none is believed, each is asked again this often at the most. */
const HELD_RETRY_MS = 60_000
/** A connection whose parameters are refused is tried hourly: somebody may have mended the configuration. */
const CONNECTION_RETRY_MS = 3_600_000
/** When a dead grant is asked again after all, counted from its death: some verdicts were never true. */
const RESURRECTION_MS = [600_000, 3_600_000, 86_400_000] as const
/** After that long in REAUTH_REQUIRED the refresh token leaves the store. */
export const REFRESH_TOKEN_KEPT_MS = 30 * 86_400_000

/** What a failed refresh means for its connection. */
export interface Verdict {
  readonly state: StoredState
  readonly stateReason: StateReason
  /** What callers get when no token is left. */
  readonly reason: Reason
  /** When to try again; absent = not by itself. */
  readonly nextRefreshAt?: number
}

/**
 * Why a connection is not ACTIVE; empty for ACTIVE.
 *
 * - `OUTCOME_LOST`: an answer with the next refresh token never arrived, and the old one is refused.
 * - `ALREADY_USED`: the stored refresh token was known to be perhaps not the newest, as in a restored copy, and is not.
 * - `ROTATED_ELSEWHERE`: the grant lives, our refresh token does not: another program uses it.
 * - `REVOKED`: refresh token and living access token are refused.
 * - `GRANT_ENDED`: the grant is past its stated end.
 * - `IDLE_EXPIRED`: the refresh token was past its stated end.
 * - `GRANT_REFUSED`: refused twice, and nothing tells why.
 * - `EXPIRED_WITHOUT_REFRESH_TOKEN`: the access token expired and there is nothing to renew it with.
 * - `PARAMETERS_REFUSED`: CONNECTION_MISCONFIGURED.
 */
export type StateReason =
  | ''
  | 'OUTCOME_LOST'
  | 'ALREADY_USED'
  | 'ROTATED_ELSEWHERE'
  | 'REVOKED'
  | 'GRANT_ENDED'
  | 'IDLE_EXPIRED'
  | 'GRANT_REFUSED'
  | 'EXPIRED_WITHOUT_REFRESH_TOKEN'
  | 'PARAMETERS_REFUSED'

/** What else decides. */
export interface Circumstances {
  readonly now: number
  /** Uniform in [0, 1), for jitter. */
  readonly fraction: number
  /** What was found out about a refusal; absent = nothing. */
  readonly evidence?: Evidence
  /** Whether the provider refuses so many grants that no refusal is believed. */
  readonly held: boolean
  /** Milliseconds since the first refusal by a clock that does not jump; absent = it came in another run. */
  readonly refusedForMs?: number
  /** Whether the wall clock has jumped lately, so that nothing is over by its age alone. */
  readonly clockJumped: boolean
}

/**
 * Judges a failed refresh. Only a second refusal in a row, or one after the grant's stated end, ends a connection; a
 * refused client, an outage or an odd answer never change its state.
 *
 * @param row as it was before the attempt
 */
export function judge(row: ConnectionRow, failure: Failure, circumstances: Circumstances): Verdict {
  const { now, fraction } = circumstances
  const { state } = row
  const stateReason = row.stateReason as StateReason
  switch (failure.class) {
    case 'reauthorize':
      return judgeRefusal(row, circumstances)
    case 'connection':
      // Only tokens wake the dead; and from their death their days are counted.
      if (state === 'REAUTH_REQUIRED') return dead(stateReason, row.stateSince, now)
      return {
        state: 'CONNECTION_MISCONFIGURED',
        stateReason: 'PARAMETERS_REFUSED',
        reason: 'CONNECTION_MISCONFIGURED',
        nextRefreshAt: now + CONNECTION_RETRY_MS,
      }
    case 'client':
    case 'unsupported':
      return { state, stateReason, reason: 'PROVIDER_MISCONFIGURED', nextRefreshAt: now + CLIENT_RETRY_MS }
    default: {
      // Whatever a 503 asks for: the window in which a used refresh token is taken again may be shorter.
      const delay = failure.outcomeUnknown
        ? unknownOutcomeDelay(row.outcomeUnknownTries)
        : (failure.retryAfterMs ?? backoff(row.failures, fraction))
      return { state, stateReason, reason: 'PROVIDER_UNAVAILABLE', nextRefreshAt: now + delay }
    }
  }
}

/** Judges a failure where no connection exists yet, so that there is no state to change. */
export function judgeFirst(failure: Failure | undefined, now: number, fraction: number): Verdict {
  const config = failure !== undefined && ['client', 'reauthorize', 'unsupported'].includes(failure.class)
  const reason = config
    ? 'PROVIDER_MISCONFIGURED'
    : failure?.class === 'connection'
      ? 'CONNECTION_MISCONFIGURED'
      : 'PROVIDER_UNAVAILABLE'
  const nextRefreshAt = now + (failure?.retryAfterMs ?? backoff(0, fraction))
  return { state: 'ACTIVE', stateReason: '', reason, nextRefreshAt }
}

/** The verdict on a connection that has nothing to be renewed with. */
export const NOTHING_LEFT: Verdict = {
  state: 'REAUTH_REQUIRED',
  stateReason: 'EXPIRED_WITHOUT_REFRESH_TOKEN',
  reason: 'REAUTH_REQUIRED',
}

/** Whether a refusal comes as no surprise: an earlier attempt may have used the refresh token up. */
export function isExplained({ outcomeUnknownSince, suspect }: ConnectionRow): boolean {
  return outcomeUnknownSince !== undefined || suspect
}

function judgeRefusal(row: ConnectionRow, circumstances: Circumstances): Verdict {
  const { now, held, refusedForMs, clockJumped } = circumstances
  if (row.state === 'REAUTH_REQUIRED') return dead(row.stateReason as StateReason, row.stateSince, now)
  if (!clockJumped && isPast(row.grantExpiresAt, now)) return dead('GRANT_ENDED', now, now)

  const explained = isExplained(row)
  const waits = { state: row.state, stateReason: row.stateReason as StateReason } as const
  const reason = 'PROVIDER_UNAVAILABLE'
  if (held && !explained) return { ...waits, reason, nextRefreshAt: now + HELD_RETRY_MS }
  const firstRefusal = row.lastError?.class !== 'reauthorize' || row.nextRefreshAt === undefined
  const delay = explained ? CONFIRM_LOSS_DELAY_MS : CONFIRM_DELAY_MS
  // What was planned before the clock was set back lies too far ahead.
  const confirmAt = firstRefusal ? now + delay : Math.min(row.nextRefreshAt ?? now, now + CONFIRM_DELAY_MS)
  // A refusal that comes earlier, because somebody asked for a refresh, confirms nothing and delays nothing.
  // Nor does one that only a clock which jumped makes late.
  const missing = Math.max(confirmAt - now, delay - (refusedForMs ?? delay))
  if (firstRefusal || missing > 0) return { ...waits, reason, nextRefreshAt: now + missing }
  return dead(whyDead(row, circumstances), now, now)
}

function whyDead(row: ConnectionRow, { now, evidence, clockJumped }: Circumstances): StateReason {
  if (row.outcomeUnknownSince !== undefined) return 'OUTCOME_LOST'
  if (row.suspect) return 'ALREADY_USED'
  if (evidence?.accessToken === 'works') return 'ROTATED_ELSEWHERE'
  if (evidence?.accessToken === 'refused') return 'REVOKED'
  return !clockJumped && isPast(row.refreshExpiresAt, now) ? 'IDLE_EXPIRED' : 'GRANT_REFUSED'
}

function isPast(end: number | undefined, now: number): boolean {
  return end !== undefined && now >= end
}

/** @param since when the grant was found dead; from there its next resurrection probe is counted */
function dead(stateReason: StateReason, since: number, now: number): Verdict {
  const probe = [...RESURRECTION_MS, REFRESH_TOKEN_KEPT_MS].find(delay => since + delay > now)
  // Only a clock that has jumped keeps it longer; it is asked daily then.
  const nextRefreshAt = probe === undefined ? now + RESURRECTION_MS[2] : since + probe
  return { state: 'REAUTH_REQUIRED', stateReason, reason: 'REAUTH_REQUIRED', nextRefreshAt }
}
