import type { Audit } from '../../audit/audit.ts'
import type { Keyring } from '../../store/keyring.ts'
import type { ConnectionRow, RevocationRow } from '../../store/rows.ts'
import type { Store } from '../../store/store.ts'
import { connectionFacts } from '../audit/state-audit.ts'
import type { Disconnection, DisconnectionRequest, Revocation } from '../broker.ts'
import { type Connection, isAlive, openConnection, openSibling } from '../connection.ts'
import { type Connections, guard } from '../connections.ts'
import type { Clock, Log } from '../ports.ts'
import type { ProviderHandle, Providers } from '../providers.ts'
import type { RevocableTokens } from './request.ts'
import type { Revocations } from './revocations.ts'

/** How long a disconnect waits for each answer of the provider before it says PENDING; the attempt goes on. */
const REVOKE_WAIT_MS = 10_000

interface Ports {
  readonly store: Store
  readonly keyring: Keyring
  readonly connections: Connections
  readonly providers: Providers
  readonly revocations: Revocations
  readonly audit: Audit
  readonly clock: Clock
  readonly log: Log
}

/** Forgets a connection: durable first, served by nobody from then on, revoked at the provider afterwards. */
export async function disconnect(ports: Ports, request: DisconnectionRequest): Promise<Disconnection> {
  const handle = ports.providers.get(request.provider)
  const staticTokenRemains = request.account === '' && handle.staticToken !== undefined
  const connection = await ports.connections.load(request)
  if (connection === null) {
    return { revocation: 'NOTHING_TO_REVOKE', sharedConnections: [], staticTokenRemains }
  }
  const sharing = await connectionsSharing(ports, handle, connection.row)
  const keep = sharing.length > 0 && request.shared === 'KEEP'
  const revocable = !keep && canRevoke(handle)
  // A refresh may have replaced the tokens meanwhile: those in memory now are what is stored.
  const current = ports.connections.peek(request) ?? connection
  const { row, tokens } = current
  const entries = revocable && tokens ? ports.revocations.file(row, tokens) : []

  const { caller } = request
  const record = ports.audit.entry({
    ...connectionFacts(row),
    event: 'CONNECTION_DISCONNECTED',
    caller,
    details: {
      provider_account_id: row.providerAccountId,
      revocation: keep ? 'SKIPPED_SHARED' : entries.length > 0 ? 'FILED' : 'UNSUPPORTED',
    },
  })
  const removed = await guard(
    ports.store.removeConnection(request.provider, request.account, entries, record),
  )
  ports.connections.drop(removed ?? row)
  const { provider, account } = request
  ports.log.info('Disconnected', { provider, account, requestId: caller?.origin?.requestId })

  if (entries.length > 0 && removed !== undefined) await revokeNewer(ports, row, removed)
  const revocation = keep ? 'SKIPPED_SHARED' : await revokeNow(ports, entries, current)
  const sharedConnections = sharing.map(row => ({ provider: row.provider, account: row.account }))
  return { revocation, sharedConnections, staticTokenRemains }
}

async function connectionsSharing(
  { store }: Ports,
  handle: ProviderHandle,
  row: ConnectionRow,
): Promise<ConnectionRow[]> {
  const { revoke } = handle.client.written.operations
  if (revoke?.revokes !== 'account' || row.providerAccountId === '') return []
  const rows = await guard(store.listSharedConnections(row))
  return rows.filter(other => other.id !== row.id)
}

/** Before discovery nobody knows whether there is a place to revoke at; then the entry is filed and finds out. */
function canRevoke({ client: { written } }: ProviderHandle): boolean {
  return written.operations.revoke?.url !== undefined || written.issuer !== undefined
}

/** Tokens that were stored since the filed ones were read, by another process or just now, are revoked as well. */
async function revokeNewer(ports: Ports, filed: ConnectionRow, removed: ConnectionRow): Promise<void> {
  try {
    for (const tokens of newerTokens(ports, filed, removed)) await ports.revocations.abandon(removed, tokens)
  } catch (error) {
    const { provider, account } = removed
    ports.log.error('Could not file tokens to be revoked: they live until they expire', {
      provider,
      account,
      error,
    })
  }
}

function newerTokens(
  { keyring, clock }: Ports,
  filed: ConnectionRow,
  removed: ConnectionRow,
): readonly RevocableTokens[] {
  const isNewer = removed.id !== filed.id || removed.counter > filed.counter
  const tokens = isNewer ? openConnection(removed, keyring, clock).tokens : undefined
  // The counter does not tell of it.
  const refreshToken = openSibling(removed, keyring)
  const isFiled = refreshToken?.expose() === openSibling(filed, keyring)?.expose()
  const sibling = isFiled ? undefined : refreshToken && { refreshToken }
  return [tokens, sibling].filter(newer => newer !== undefined)
}

/** Tries all entries: not done is what one of them has not confirmed. */
async function revokeNow(
  ports: Ports,
  entries: readonly RevocationRow[],
  connection: Connection,
): Promise<Revocation> {
  const isExpired = !isAlive(connection, ports.clock)
  const attempts = entries.map(entry =>
    ports.revocations.attempt(entry, isExpired).catch((error): Revocation => {
      ports.log.error('Revocation could not be settled', { provider: entry.provider, error })
      return 'PENDING'
    }),
  )
  const all = Promise.all(attempts).then(
    ([first = 'UNSUPPORTED', ...others]): Revocation => (others.includes('PENDING') ? 'PENDING' : first),
  )
  return atMost(ports.clock, all, 'PENDING')
}

/** What the provider brings within the time that a disconnect waits; else `otherwise`, and the attempt goes on. */
async function atMost<T>(clock: Clock, attempt: Promise<T>, otherwise: T): Promise<T> {
  const patience = Promise.withResolvers<T>()
  const cancel = clock.schedule(REVOKE_WAIT_MS, () => patience.resolve(otherwise))
  const first = await Promise.race([attempt, patience.promise])
  cancel()
  return first
}
