import type { Audit } from '../../audit/audit.ts'
import { type Keyring, UnreadableError } from '../../store/keyring.ts'
import type { ConnectionRow } from '../../store/rows.ts'
import type { Store } from '../../store/store.ts'
import { connectionFacts } from '../audit/state-audit.ts'
import type { CallerIdentity } from '../broker.ts'
import { requireUndamaged, sealContext } from '../connection.ts'
import { type Connections, guard } from '../connections.ts'
import { endpointOriginsOf, haveEndpointsMoved } from '../endpoint-origins.ts'
import { BrokerError } from '../errors.ts'
import type { Clock, Log } from '../ports.ts'
import { hasMoved, type ProviderHandle, type Providers, tokenOriginOf } from '../providers.ts'
import type { PendingCommits } from '../refresh/pending-commits.ts'
import type { Refresher } from '../refresh/refresher.ts'

/** Connections in one look at the store. */
const PAGE_SIZE = 200
/** Names in one answer; more than a person compares. */
const ORIGINS_MAX = 10
const SKIPPED_NAMES_MAX = 100

export interface RebindRequest {
  readonly provider: string
  /** Absent = all of the provider's. */
  readonly account?: string
  /** Tells only what would be done. */
  readonly dryRun: boolean
  readonly caller: CallerIdentity
}

export interface RebindResult {
  /** Where the rebound ones are refreshed now; empty if not all at the same place. */
  readonly tokenOrigin: string
  readonly previousOrigins: readonly string[]
  /**
   * Where else the rebound ones are sent now: origins of endpoints for revocation and verification, and before them those
   * of the token endpoint, if they are several.
   */
  readonly endpointOrigins: readonly string[]
  readonly rebound: number
  readonly unchanged: number
  readonly skipped: number
  /** The first of them. */
  readonly skippedAccounts: readonly string[]
}

interface Ports {
  readonly store: Store
  readonly keyring: Keyring
  readonly connections: Connections
  readonly providers: Providers
  readonly refresher: Refresher
  readonly pending: PendingCommits
  readonly audit: Audit
  readonly clock: Clock
  readonly log: Log
}

/** Where tokens go whatever the connection. */
const NOTHING_KNOWN = { variables: {}, attributes: {}, providerAccountId: '' }

/** How one connection was dealt with. */
type Outcome = 'rebound' | 'unchanged' | 'skipped'

/**
 * Binds connections to the endpoints and client of the configuration: seals their tokens for that origin, and notes
 * that client and where else they may be sent. The one way for a token to be sent elsewhere than where it came from; somebody has to ask for it.
 *
 * @throws BrokerError `PROVIDER_NOT_FOUND`, `PROVIDER_UNAVAILABLE`, `BROKER_UNAVAILABLE`
 */
export async function rebindConnections(ports: Ports, request: RebindRequest): Promise<RebindResult> {
  const handle = ports.providers.get(request.provider)
  const found = await handle.client.definition()
  if (!found.ok) {
    throw new BrokerError(
      'PROVIDER_UNAVAILABLE',
      'the token endpoint cannot be discovered; nothing was changed',
      {
        retryAfterMs: 5_000,
      },
    )
  }
  const outcomes = new Map<Outcome, number>()
  const origins = new Set<string>()
  const destinations = new Set<string>()
  const elsewhere = new Set<string>()
  const skippedAccounts: string[] = []
  for await (const row of rowsOf(ports, request)) {
    const isMoved = hasMoved(handle, found.value, row) || haveEndpointsMoved(handle, found.value, row)
    const origin = tokenOriginOf(handle, found.value, row)
    const endpointOrigins = endpointOriginsOf(handle, found.value, row)
    const outcome = isMoved
      ? await rebind(ports, handle, { row, origin, endpointOrigins, request })
      : 'unchanged'
    outcomes.set(outcome, (outcomes.get(outcome) ?? 0) + 1)
    if (outcome === 'rebound') {
      addUpTo(origins, [row.tokenOrigin])
      addUpTo(destinations, [origin])
      addUpTo(elsewhere, endpointOrigins)
    }
    if (outcome === 'skipped' && skippedAccounts.length < SKIPPED_NAMES_MAX) skippedAccounts.push(row.account)
  }
  const [destination = tokenOriginOf(handle, found.value, NOTHING_KNOWN), ...others] = destinations
  const isOne = others.length === 0
  return {
    tokenOrigin: isOne ? destination : '',
    previousOrigins: [...origins],
    endpointOrigins: isOne ? [...elsewhere] : [...new Set([...destinations, ...elsewhere])],
    rebound: outcomes.get('rebound') ?? 0,
    unchanged: outcomes.get('unchanged') ?? 0,
    skipped: outcomes.get('skipped') ?? 0,
    skippedAccounts,
  }
}

function addUpTo(names: Set<string>, more: readonly string[]): void {
  for (const name of more) if (names.size < ORIGINS_MAX) names.add(name)
}

async function* rowsOf(
  { store }: Ports,
  { provider, account }: RebindRequest,
): AsyncGenerator<ConnectionRow, void> {
  if (account !== undefined) {
    const row = await guard(store.findConnection(provider, account))
    if (row !== undefined) yield row
    return
  }
  let after: ConnectionRow | undefined
  do {
    const rows: ConnectionRow[] = await guard(store.listConnections({ provider, after, limit: PAGE_SIZE }))
    yield* rows
    after = rows.at(-1)
  } while (after !== undefined)
}

interface Move {
  readonly row: ConnectionRow
  readonly origin: string
  readonly endpointOrigins: readonly string[]
  readonly request: RebindRequest
}

async function rebind(
  ports: Ports,
  handle: ProviderHandle,
  { row, origin, endpointOrigins, request }: Move,
): Promise<Outcome> {
  const { store, connections, audit, clock, log } = ports
  // Their tokens are on their way into the row.
  if (ports.pending.has(row.id) || ports.refresher.isRefreshing(row.id)) return 'skipped'
  const sealed = sealedFor(ports.keyring, row, origin)
  if (sealed === undefined) return 'skipped'
  if (request.dryRun) return 'rebound'
  const { clientFingerprint } = handle
  const place = { tokenOrigin: origin, endpointOrigins, clientFingerprint }
  const rebinding = { ...sealed, ...place, nextRefreshAt: clock.now() }
  const { provider, account, tokenOrigin: from } = row
  const endpoints = endpointOrigins.join(' ')
  const clientChanged = String(row.clientFingerprint !== clientFingerprint)
  const details = { from, to: origin, endpoints, client_changed: clientChanged }
  const facts = { ...connectionFacts(row), caller: request.caller, details }
  const entry = audit.entry({ ...facts, event: 'CONNECTION_REBOUND' })
  const stored = await guard(store.rebindConnection(row, rebinding, entry))
  if (stored === undefined) return 'skipped'
  connections.put(stored)
  log.warn('The tokens of a connection are bound to another place', {
    provider,
    account,
    from,
    to: origin,
    endpoints,
  })
  return 'rebound'
}

/** The tokens of a row sealed for another origin; `undefined` if any of them does not open. */
function sealedFor(keyring: Keyring, row: ConnectionRow, tokenOrigin: string) {
  const moved = (sealed: Uint8Array, column: 'access_token' | 'refresh_token' | 'sibling') =>
    keyring.seal(keyring.open(sealed, sealContext(row, column)), sealContext({ ...row, tokenOrigin }, column))
  const { sealedRefreshToken, sealedSibling } = row
  try {
    requireUndamaged(row)
    return {
      sealedAccessToken: moved(row.sealedAccessToken, 'access_token'),
      sealedRefreshToken: sealedRefreshToken && moved(sealedRefreshToken, 'refresh_token'),
      sealedSibling: sealedSibling && moved(sealedSibling, 'sibling'),
    }
  } catch (error) {
    if (error instanceof UnreadableError) return undefined
    throw error
  }
}
