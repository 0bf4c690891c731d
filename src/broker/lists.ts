import type { Keyring } from '../store/keyring.ts'
import type { Store } from '../store/store.ts'
import type { ConnectionList, ConnectionListRequest, ConnectionName, ProviderSummary } from './broker.ts'
import { openConnection } from './connection.ts'
import { type Connections, guard } from './connections.ts'
import { invalidRequest } from './errors.ts'
import type { Clock } from './ports.ts'
import type { Providers } from './providers.ts'
import { statusOf } from './status.ts'

/** A page holds at most that many connections, and this many where the caller does not say. */
const PAGE_MAX = 1_000
const PAGE_DEFAULT = 100

interface Ports {
  readonly store: Store
  readonly keyring: Keyring
  readonly connections: Connections
  readonly providers: Providers
  readonly clock: Clock
}

/** One page of connections, ordered by provider and account; what the caller may not see is left out. */
export async function listConnections(ports: Ports, request: ConnectionListRequest): Promise<ConnectionList> {
  const limit = Math.min(request.pageSize === 0 ? PAGE_DEFAULT : request.pageSize, PAGE_MAX)
  const after = request.pageToken === '' ? undefined : decodePageToken(request.pageToken)
  const { provider, state } = request
  const rows = await guard(ports.store.listConnections({ provider, state, after, limit: limit + 1 }))
  const page = rows.slice(0, limit)
  const last = page.at(-1)
  const connections = page
    .filter(row => request.visible(row))
    .map(row => {
      const handle = ports.providers.has(row.provider) ? ports.providers.get(row.provider) : undefined
      const connection = ports.connections.peek(row) ?? openConnection(row, ports.keyring, ports.clock)
      return statusOf(handle, row, connection, ports.clock)
    })
  return { connections, nextPageToken: rows.length > limit && last ? encodePageToken(last) : '' }
}

/** The configured providers with their counts, ordered by id. */
export async function listProviders({ store, providers }: Ports): Promise<ProviderSummary[]> {
  const counts = await guard(store.countConnections())
  const sum = (id: string, states: readonly string[]) =>
    counts
      .filter(({ provider, state }) => provider === id && states.includes(state))
      .reduce((total, { count }) => total + count, 0)
  return providers.all().map(({ provider, client, health, staticToken }) => ({
    provider: provider.id,
    definition: client.written.id,
    environment: provider.environment,
    scopes: provider.scopes,
    redirectUri: client.written.refresh.mode === 'client_credentials' ? '' : provider.redirectUri,
    hasStaticToken: staticToken !== undefined,
    connectionCount: sum(provider.id, ['ACTIVE', 'REAUTH_REQUIRED', 'CONNECTION_MISCONFIGURED']),
    reauthRequiredCount: sum(provider.id, ['REAUTH_REQUIRED']),
    health: health.snapshot(),
  }))
}

function encodePageToken({ provider, account }: ConnectionName): string {
  return Buffer.from(JSON.stringify([provider, account])).toString('base64url')
}

function decodePageToken(token: string): ConnectionName {
  try {
    const [provider, account] = JSON.parse(Buffer.from(token, 'base64url').toString())
    if (typeof provider === 'string' && typeof account === 'string') return { provider, account }
  } catch {
    // Told below.
  }
  throw invalidRequest([{ field: 'page_token', description: 'is not a next_page_token of this list' }])
}
