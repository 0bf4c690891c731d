import type { ConnectionName, ConnectionState, ConnectionStatus } from './broker.ts'
import { type Connection, isAlive, lifetimeLeft } from './connection.ts'
import { diagnose } from './diagnosis.ts'
import type { Clock } from './ports.ts'
import { hasMoved, type ProviderHandle } from './providers.ts'
import type { Usage } from './renewal/usage.ts'

/** Describes a connection, or its absence, without asking anybody. */
export function statusOf(
  handle: ProviderHandle | undefined,
  name: ConnectionName,
  connection: Connection | null,
  clock: Clock,
): ConnectionStatus {
  return connection === null
    ? statusOfNothing(handle, name, clock)
    : statusOfConnection(handle, connection, clock)
}

/** A state with the newest use that is known: uses are written late, and rows in memory do not learn of them. */
export function withLastUse(
  status: ConnectionStatus,
  connection: Connection | null,
  usage: Pick<Usage, 'lastUsedOf'>,
): ConnectionStatus {
  const used = connection === null ? undefined : usage.lastUsedOf(connection.row.id)
  return used === undefined || used <= (status.lastUsedAt ?? 0) ? status : { ...status, lastUsedAt: used }
}

/** Whether the provider refuses our client now. */
export function refusesClient(handle: ProviderHandle): boolean {
  return handle.governor.snapshot().misconfiguredSince !== undefined
}

function statusOfNothing(
  handle: ProviderHandle | undefined,
  name: ConnectionName,
  clock: Clock,
): ConnectionStatus {
  const token = name.account === '' ? handle?.staticToken : undefined
  const mode = handle?.client.written.refresh.mode
  const state = 'NOT_CONNECTED'
  return {
    provider: name.provider,
    account: name.account,
    state,
    connected: token !== undefined,
    healthy: token !== undefined,
    source: token && 'STATIC',
    providerAccountId: '',
    providerAccountName: '',
    requestedScopes: [],
    grantedScopes: [],
    missingScopes: [],
    consecutiveFailures: 0,
    diagnosis: diagnose({
      state,
      name,
      hasStaticToken: token !== undefined,
      needsRefreshToken: true,
      connectsItself: mode === 'client_credentials' && name.account === '',
      now: clock.now(),
    }),
    version: token?.version ?? '',
  }
}

function statusOfConnection(
  handle: ProviderHandle | undefined,
  connection: Connection,
  clock: Clock,
): ConnectionStatus {
  const { row } = connection
  const left = lifetimeLeft(connection, clock)
  const alive = connection.tokens !== undefined && isAlive(connection, clock)
  const state = stateOf(handle, connection)
  const granted = row.grantedScopes ?? row.requestedScopes
  return {
    provider: row.provider,
    account: row.account,
    state,
    // An expired token whose grant lives is renewed by the call that asks for it.
    connected: alive || (state === 'ACTIVE' && row.lastError === undefined),
    healthy: state === 'ACTIVE' && row.lastError === undefined,
    source: 'OAUTH',
    providerAccountId: row.providerAccountId,
    providerAccountName: row.providerAccountName,
    requestedScopes: row.requestedScopes,
    grantedScopes: granted,
    missingScopes: row.requestedScopes.filter(scope => !granted.includes(scope)),
    outcomeUnknownSince: row.outcomeUnknownSince,
    connectTime: row.connectTime,
    expiresAt: row.expiresAt,
    refreshExpiresAt: row.refreshExpiresAt,
    grantExpiresAt: row.grantExpiresAt,
    lastRefreshAt: row.lastRefreshAt,
    nextRefreshAt: row.nextRefreshAt,
    lastUsedAt: row.lastUsedAt,
    consecutiveFailures: row.failures,
    lastError: row.lastError,
    diagnosis: diagnose({
      state,
      row,
      name: row,
      hasStaticToken: false,
      needsRefreshToken: handle?.client.written.refresh.mode === 'refresh_token',
      left,
      now: clock.now(),
    }),
    version: row.version,
  }
}

function stateOf(handle: ProviderHandle | undefined, connection: Connection): ConnectionState {
  const { row } = connection
  if (connection.tokens === undefined) return 'UNREADABLE'
  if (row.state !== 'ACTIVE') return row.state
  if (handle === undefined || refusesClient(handle)) return 'PROVIDER_MISCONFIGURED'
  return hasMoved(handle, handle.knownDefinition(), row) ? 'PROVIDER_MISCONFIGURED' : 'ACTIVE'
}
