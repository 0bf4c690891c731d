import {
  type ConnectionName,
  ConnectionState,
  type ConnectionStatus,
  Source,
  Verification_Result,
} from '../gen/tokenbroker/v1/token_broker.ts'
import { fields, plain, type Style, type Tone } from './output.ts'
import { formatTime } from './time.ts'
import { enumName } from './to-json.ts'

/** Shows one connection to a person: the diagnosis first, then what is known, as aligned lines. */
export function statusLines(status: ConnectionStatus, now: number, style: Style): string[] {
  const time = (value: Date | undefined) => formatTime(value, now)
  return [
    `${style(toneOf(status), connectionLabel(status))}: ${plain(status.diagnosis)}`,
    '',
    ...fields([
      ['State', stateLabel(status, style)],
      ['Source', sourceLabel(status.source)],
      ['Provider account', providerAccount(status)],
      ['Granted scopes', scopeList(status.grantedScopes)],
      ['Missing scopes', scopeList(status.missingScopes)],
      ['Connected', time(status.connectTime)],
      ['Access token expires', time(status.expireTime)],
      ['Refresh token expires', time(status.refreshExpireTime)],
      ['Grant ends', time(status.grantExpireTime)],
      ['Last refresh', time(status.lastRefreshTime)],
      ['Next refresh', time(status.nextRefreshTime)],
      ['Last used', time(status.lastUsedTime)],
      ['Outcome unknown since', time(status.outcomeUnknownSince)],
      ['Failures in a row', status.consecutiveFailures > 0 ? String(status.consecutiveFailures) : undefined],
      ['Last error', lastError(status, now)],
      ['Token version', plain(status.version)],
      ['Verification', verification(status, now)],
    ]),
  ]
}

/** `pinterest`, `square account "shop-7"`: a connection in a sentence; the system-level one has no account. */
export function connectionLabel(name: ConnectionName): string {
  return name.account === '' ? name.provider : `${name.provider} account "${plain(name.account)}"`
}

/** The state with its tone, and in words what the state alone does not say. */
function stateLabel(status: ConnectionStatus, style: Style): string {
  const state = style(toneOf(status), enumName(ConnectionState, status.state))
  if (status.healthy) return state
  return status.connected ? `${state}, a token is served but refreshes fail` : `${state}, no token is served`
}

/** How serious a connection's state is. */
export function toneOf(status: ConnectionStatus): Tone {
  if (status.healthy) return 'good'
  return status.connected ? 'warning' : 'bad'
}

/** `jane (1234)`: the provider's own name and identifier. Undefined if neither is known. */
export function providerAccount(status: ConnectionStatus): string | undefined {
  const [name, id] = [plain(status.providerAccountName), plain(status.providerAccountId)]
  if (name !== '' && id !== '') return `${name} (${id})`
  return name || id || undefined
}

/** Scopes with commas between them. */
export function scopeList(scopes: readonly string[]): string {
  return plain(scopes.join(', '))
}

function sourceLabel(source: Source): string | undefined {
  switch (source) {
    case Source.OAUTH:
      return 'OAuth grant'
    case Source.STATIC:
      return 'static token of the configuration, not renewed'
    default:
      return undefined
  }
}

function lastError(status: ConnectionStatus, now: number): string | undefined {
  const error = status.lastError
  if (error === undefined) return undefined
  const code = error.message.includes(error.providerCode) ? '' : ` [${error.providerCode}]`
  const when = formatTime(error.time, now)
  return plain(`${error.reason}: ${error.message}${code}${when ? `, ${when}` : ''}`)
}

function verification(status: ConnectionStatus, now: number): string | undefined {
  if (status.verification === undefined) return undefined
  const when = formatTime(status.verification.verifyTime, now)
  return `${VERDICTS[status.verification.result]}${when ? `, ${when}` : ''}`
}

const VERDICTS: Readonly<Record<Verification_Result, string>> = {
  [Verification_Result.UNSPECIFIED]: 'unknown',
  [Verification_Result.VERIFIED]: 'the provider accepts the access token',
  [Verification_Result.REJECTED]: 'the provider refuses the access token',
  [Verification_Result.UNSUPPORTED]: 'this provider cannot be asked',
  [Verification_Result.UNAVAILABLE]: 'the provider did not answer usefully',
}
