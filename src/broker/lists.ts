import { hasConsent } from '../providers/provider.ts'
import type { Keyring } from '../store/keyring.ts'
import type { ConnectionCount } from '../store/queries.ts'
import type { ConnectionRow } from '../store/rows.ts'
import type { Store } from '../store/store.ts'
import type {
  ConnectionList,
  ConnectionListRequest,
  ConnectionName,
  ConnectionStatus,
  ProviderSummary,
} from './broker.ts'
import { openConnection } from './connection.ts'
import { type Connections, guard } from './connections.ts'
import { invalidRequest } from './errors.ts'
import type { Clock } from './ports.ts'
import type { Providers } from './providers.ts'
import type { Usage } from './renewal/usage.ts'
import { statusOf, withLastUse } from './status.ts'
import { type Sight, visibleRows } from './visible-rows.ts'

/** A page holds at most that many connections, and this many where the caller does not say. */
const PAGE_MAX = 1_000
const PAGE_DEFAULT = 100

/** What listing needs. */
export interface ListPorts {
  readonly store: Store
  readonly keyring: Keyring
  readonly connections: Connections
  readonly providers: Providers
  readonly usage: Pick<Usage, 'lastUsedOf'>
  readonly clock: Clock
}

/**
 * One page of connections, ordered by provider and account. What the caller may not see is as if it were not there:
 * it fills no page, and no page token names it.
 */
export async function listConnections(
  ports: ListPorts,
  request: ConnectionListRequest,
): Promise<ConnectionList> {
  const limit = Math.min(request.pageSize === 0 ? PAGE_DEFAULT : request.pageSize, PAGE_MAX)
  const rows = await firstRows(ports, request, limit + 1)
  const page = rows.slice(0, limit)
  const last = page.at(-1)
  const connections = page.map(row => statusOfRow(ports, row))
  return { connections, nextPageToken: rows.length > limit && last ? encodePageToken(last) : '' }
}

/** The first visible rows after the page token, as many as wanted or as there are. */
async function firstRows(
  { store }: ListPorts,
  { pageToken, ...query }: ConnectionListRequest,
  wanted: number,
): Promise<ConnectionRow[]> {
  const found: ConnectionRow[] = []
  const after = pageToken === '' ? undefined : decodePageToken(pageToken)
  const limit = Math.max(wanted, PAGE_DEFAULT)
  for await (const rows of visibleRows(store, { ...query, after, limit })) {
    found.push(...rows)
    if (found.length >= wanted) break
  }
  return found.slice(0, wanted)
}

/** The state of a connection that was just listed; what is in memory is newer. */
export function statusOfRow(
  { connections, keyring, providers, usage, clock }: ListPorts,
  row: ConnectionRow,
): ConnectionStatus {
  const handle = providers.has(row.provider) ? providers.get(row.provider) : undefined
  const connection = connections.peek(row) ?? openConnection(row, keyring, clock)
  return withLastUse(statusOf(handle, row, connection, clock), connection, usage)
}

/**
 * The configured providers with their counts, ordered by id.
 *
 * @param sight which connections are counted; absent = all
 */
export async function listProviders(ports: ListPorts, sight?: Sight): Promise<ProviderSummary[]> {
  const { store, providers } = ports
  const counts = sight ? await countVisible(ports, sight) : await guard(store.countConnections())
  const sum = (id: string, states: readonly string[]) =>
    counts
      .filter(({ provider, state }) => provider === id && states.includes(state))
      .reduce((total, { count }) => total + count, 0)
  return providers.all().map(({ provider, client, governor, staticToken }) => ({
    provider: provider.id,
    definition: client.written.id,
    environment: provider.environment,
    scopes: provider.scopes,
    redirectUri: hasConsent(provider) ? provider.redirectUri : '',
    hasStaticToken: staticToken !== undefined,
    connectionCount: sum(provider.id, ['ACTIVE', 'REAUTH_REQUIRED', 'CONNECTION_MISCONFIGURED']),
    reauthRequiredCount: sum(provider.id, ['REAUTH_REQUIRED']),
    health: governor.snapshot(),
  }))
}

/** Counts of the visible connections: by the store where all of a provider are, else one for each. */
async function countVisible({ store, providers }: ListPorts, sight: Sight): Promise<ConnectionCount[]> {
  const ids = providers.all().map(({ provider }) => provider.id)
  const isWhole = (id: string) => sight.accounts?.(id).includes('*') === true
  const whole = ids.some(isWhole) ? await guard(store.countConnections()) : []
  const counts = whole.filter(({ provider }) => isWhole(provider))
  for (const id of ids.filter(id => !isWhole(id))) {
    for await (const rows of visibleRows(store, { ...sight, provider: id, limit: PAGE_MAX })) {
      counts.push(...rows.map(({ provider, state }) => ({ provider, state, count: 1 })))
    }
  }
  return counts
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
