import type { UnreadableError } from '../../store/keyring.ts'
import type { ConnectionRow } from '../../store/rows.ts'
import type { ConnectionName } from '../broker.ts'
import { type Connection, lifetimeLeft, lifetimeOf, OBTAINED_UNKNOWN } from '../connection.ts'
import { BrokerError } from '../errors.ts'
import type { Clock } from '../ports.ts'
import type { ProviderHandle } from '../providers.ts'
import { rotatesNotBefore } from './rotation.ts'

/** A provider that answers too late does not answer sooner when it is asked at once. */
const DEAD_RETRY_MS = 1_000

/** How to start consent for a connection, as a command. */
export function connectCommand({ provider, account }: ConnectionName): string {
  return `token-broker connect ${provider}${account === '' ? '' : ` --account ${JSON.stringify(account)}`}`
}

function metadataOf({ provider, account }: ConnectionName): Record<string, string> {
  return { provider, account }
}

/** Never connected, or disconnected. */
export function consentRequired(name: ConnectionName): BrokerError {
  const whose = name.account === '' ? 'the system-level credential' : 'this account'
  return new BrokerError('CONSENT_REQUIRED', `${whose} of ${name.provider} is not connected`, {
    metadata: metadataOf(name),
    help: `An admin consents once in a browser: ${connectCommand(name)}`,
  })
}

/** The stored bytes do not open. */
export function unreadable(row: ConnectionRow, cause: UnreadableError | undefined): BrokerError {
  const why = cause?.reason ?? 'malformed'
  return new BrokerError('UNREADABLE', `the stored tokens of this connection do not open (${why})`, {
    metadata: { ...metadataOf(row), why },
    help: `Restore the data directory with its root key from a backup, or connect again: ${connectCommand(row)}`,
  })
}

/** There is nothing to refresh with, while the token lives. */
export function noRefreshToken(row: ConnectionRow): BrokerError {
  const isImported = row.obtainedAt === OBTAINED_UNKNOWN
  const why = isImported
    ? 'it was imported without a refresh token'
    : `${row.provider} issued no refresh token for it`
  const help = isImported
    ? `Import it again with its refresh token and --replace, or: ${connectCommand(row)}`
    : `Ask for offline access in the definition's authorize parameters, then: ${connectCommand(row)}`
  return new BrokerError('NO_REFRESH_TOKEN', `this connection cannot be refreshed: ${why}`, {
    metadata: metadataOf(row),
    help,
  })
}

/** A static token comes from the configuration and is replaced there. */
export function staticNotRefreshed(name: ConnectionName): BrokerError {
  return new BrokerError('NO_REFRESH_TOKEN', `the static token of ${name.provider} cannot be refreshed`, {
    metadata: metadataOf(name),
    help: `Replace static_access_token in the configuration, or connect: ${connectCommand(name)}`,
  })
}

/** The newest token had expired by the time it arrived. */
export function deadOnArrival(row: ConnectionName): BrokerError {
  return new BrokerError(
    'PROVIDER_UNAVAILABLE',
    `${row.provider} issued a token that had expired when it arrived`,
    {
      metadata: metadataOf(row),
      retryAfterMs: DEAD_RETRY_MS,
    },
  )
}

/** The provider does not issue tokens that live as long as the caller wants. */
export function minTtlUnreachable(
  handle: ProviderHandle,
  row: ConnectionName,
  lifetimeMs: number,
): BrokerError {
  const seconds = String(Math.floor(lifetimeMs / 1000))
  return new BrokerError(
    'MIN_TTL_UNREACHABLE',
    `${handle.provider.id} issues tokens that live ${seconds} s; ask for a smaller min_ttl`,
    { metadata: { ...metadataOf(row), lifetime_seconds: seconds } },
  )
}

/** The token lives too short for the caller, and must not be replaced yet, because others hold it. */
export function minTtlNotYet(handle: ProviderHandle, connection: Connection, clock: Clock): BrokerError {
  const { row } = connection
  const left = String(Math.floor((lifetimeLeft(connection, clock) ?? 0) / 1000))
  const lifetime = lifetimeOf(row)
  return new BrokerError(
    'MIN_TTL_UNREACHABLE',
    `the access token lives ${left} s more, and a refresh now would end it for its other users; ask for a smaller min_ttl, or later`,
    {
      metadata: {
        ...metadataOf(row),
        left_seconds: left,
        ...(lifetime === undefined ? {} : { lifetime_seconds: String(Math.floor(lifetime / 1000)) }),
      },
      retryAfterMs: Math.max(0, (rotatesNotBefore(handle, row) ?? 0) - clock.now()),
    },
  )
}

/** Throws `SCOPE_NOT_GRANTED` naming the scopes that are missing; scopes that nobody knows are not missing. */
export function requireScopes(
  handle: ProviderHandle,
  row: ConnectionName & Pick<ConnectionRow, 'grantedScopes' | 'requestedScopes'>,
  required: readonly string[],
): void {
  const granted = row.grantedScopes ?? row.requestedScopes
  const missing = required.filter(scope => !granted.includes(scope))
  if (missing.length === 0 || (row.grantedScopes === undefined && granted.length === 0)) return
  const scopes = missing.join(' ')
  throw new BrokerError('SCOPE_NOT_GRANTED', `${handle.provider.id} did not grant: ${scopes}`, {
    metadata: { ...metadataOf(row), missing_scopes: scopes },
    help: `Consent with these scopes: ${connectCommand(row)} --scope …`,
  })
}
