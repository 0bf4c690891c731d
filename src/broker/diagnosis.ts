import type { ConnectionRow } from '../store/rows.ts'
import type { ConnectionName, ConnectionState } from './broker.ts'
import { endingSoon } from './ending.ts'
import type { StateReason } from './refresh/verdict.ts'
import { connectCommand } from './tokens/token-errors.ts'

/** What a diagnosis is made from. */
export interface DiagnosisInput {
  readonly state: ConnectionState
  readonly row?: ConnectionRow
  readonly name: ConnectionName
  readonly hasStaticToken: boolean
  /** Whether access tokens of this provider are renewed with a refresh token. */
  readonly needsRefreshToken: boolean
  /** Whether it is connected by the first call for a token, without a consent. Default: false. */
  readonly connectsItself?: boolean
  /** Milliseconds that the access token still lives; undefined = no end is known. */
  readonly left?: number
  readonly now: number
}

/** One sentence: what happened with its evidence, and what to do. */
export function diagnose(input: DiagnosisInput): string {
  const { state, name, row } = input
  const connect = connectCommand(name)
  switch (state) {
    case 'NOT_CONNECTED':
      if (input.connectsItself)
        return 'not connected; nobody has to consent: the first call for a token connects'
      return input.hasStaticToken
        ? `not connected; the configuration's static token answers; to connect: ${connect}`
        : `not connected; an admin consents once in a browser: ${connect}`
    case 'UNREADABLE':
      if (row?.damaged !== undefined)
        return `what is stored of it is damaged (${row.damaged.join(', ')})${ends(input)}; restore the data directory from a backup, or: ${connect}`
      return `the stored tokens do not open with the keys at hand${ends(input)}; restore data directory and root key together, or: ${connect}`
    case 'PROVIDER_MISCONFIGURED':
      return `${name.provider} refuses our client, or client id or endpoint were changed; check the configuration; the connection is kept${ends(input)}`
    case 'CONNECTION_MISCONFIGURED':
      return `${name.provider} refuses this connection's parameters${because(row)}${nextTry(row, input.now)}${ends(input)}; its scopes may have changed: check scopes and variables, then: ${connect}`
    case 'REAUTH_REQUIRED':
      return `${death(row)}${because(row)}${stillServed(input.left, row?.stateReason === 'REVOKED')}; a human has to consent again: ${connect}`
    case 'ACTIVE':
      return active(input)
  }
}

const DEATHS: Readonly<Record<StateReason, string>> = {
  '': 'the grant is dead',
  OUTCOME_LOST:
    'the answer to a refresh was lost, with the next refresh token in it, and the provider refuses the one before',
  ALREADY_USED:
    'the stored refresh token had been used already, and a newer one is not stored here, as after the start on an older copy',
  ROTATED_ELSEWHERE:
    'the grant lives, but its refresh token is used up: another program holds the same grant and refreshes it; give it a connection of its own',
  REVOKED: 'the grant was revoked: the provider refuses refresh token and living access token alike',
  GRANT_ENDED: 'the grant has reached its stated end',
  IDLE_EXPIRED: 'the refresh token lapsed: it was not refreshed before its stated end',
  GRANT_REFUSED: 'the provider has refused the refresh token twice, without a reason',
  EXPIRED_WITHOUT_REFRESH_TOKEN: 'the access token expired, and the provider issued no refresh token',
  PARAMETERS_REFUSED: 'the grant is dead',
}

function death(row: ConnectionRow | undefined): string {
  return DEATHS[(row?.stateReason ?? '') as StateReason] ?? DEATHS['']
}

function active(input: DiagnosisInput): string {
  const { row, left, now, name } = input
  if (row === undefined) return 'working; nothing to do'
  const meanwhile = `${stillServed(left)}${nextTry(row, now)}${ends(input)}`
  if (row.outcomeUnknownSince !== undefined) return `${unknown(row)}${meanwhile}`
  if (row.lastError !== undefined) return `${failure(row)}${meanwhile}`
  if (input.needsRefreshToken && row.sealedRefreshToken === undefined && row.expiresAt !== undefined) {
    return 'working, but the provider issued no refresh token: consent again before the access token expires'
  }
  const end = ending(input)
  if (end === undefined) return 'working; nothing to do'
  const isGrant = endingSoon(row, now)?.of === 'grant'
  return `working, but ${end}${isGrant ? `; consent again before: ${connectCommand(name)}` : nextTry(row, now)}`
}

/** An outcome that nobody knows stays so whatever fails after it. */
function unknown(row: ConnectionRow): string {
  const what =
    'a refresh ended without a readable answer, so nobody knows whether the refresh token is used up'
  switch (row.lastError?.class) {
    case 'reauthorize':
      return `the answer to a refresh was lost, and the provider refused the refresh token afterwards${because(row)}: the lost answer may have held the next one; it is asked once more before anybody is told to consent`
    case undefined:
      return `${what}; it is tried again first`
    case 'retry':
      return `${what}; at the last try ${row.lastError.message}; it is tried again first`
    default:
      return `${what}; since then ${failure(row)}`
  }
}

function failure(row: ConnectionRow): string {
  const what = because(row)
  switch (row.lastError?.class) {
    case 'reauthorize':
      return `the provider refused the refresh token${what}; one refusal proves nothing, it is asked again before anybody is told to consent`
    case 'ambiguous':
      return `the provider refused a refresh${what} in a way that does not tell whether our client secret is wrong or the grant is dead; compare client_secret with the registration`
    case 'client':
      return `the provider refuses our client id or secret${what}; correct the configuration; the connection is kept`
    case 'rate_limited':
      return `the provider asked us to wait${what}`
    case 'not_sent':
      return `the provider cannot be reached${what}`
    default:
      return `the last refresh failed${what}`
  }
}

function because(row: ConnectionRow | undefined): string {
  return row?.lastError === undefined ? '' : ` (${row.lastError.message})`
}

/** @param refused whether the provider was seen to refuse it */
function stillServed(left: number | undefined, refused = false): string {
  if (left !== undefined && left <= 0) return ''
  const howLong = left === undefined ? '' : ` for ${seconds(left)}`
  return `; the access token is still handed out${howLong}${refused ? ', but the provider refuses it' : ''}`
}

function ends(input: DiagnosisInput): string {
  const what = ending(input)
  return what === undefined ? '' : `; ${what}`
}

/** What ends soon, and what it depends on. */
function ending({ row, now }: DiagnosisInput): string | undefined {
  const end = row && endingSoon(row, now)
  if (end === undefined) return undefined
  const isOver = end.at <= now
  const when = moment(end.at, now)
  if (end.of === 'grant') {
    return isOver ? `the grant was to end on ${when}` : `the grant ends on ${when} whatever is done`
  }
  return isOver
    ? `the refresh token was to lapse on ${when}`
    : `the refresh token lapses on ${when} unless a refresh succeeds before`
}

/** The day, and near it the minute, in UTC. */
function moment(at: number, now: number): string {
  const [day = '', time = ''] = new Date(at).toISOString().split('T')
  return Math.abs(at - now) < 2 * 86_400_000 ? `${day} ${time.slice(0, 5)} UTC` : day
}

function nextTry(row: ConnectionRow | undefined, now: number): string {
  return row?.nextRefreshAt === undefined ? '' : `; next try in ${seconds(row.nextRefreshAt - now)}`
}

function seconds(ms: number): string {
  const total = Math.max(0, Math.round(ms / 1000))
  if (total < 120) return `${total} s`
  return total < 7_200 ? `${Math.round(total / 60)} min` : `${Math.round(total / 3_600)} h`
}
