import type { Audit } from '../../audit/audit.ts'
import { isGrant } from '../../store/attempt-changes.ts'
import type { Keyring } from '../../store/keyring.ts'
import type { ConnectionRow, RevocationRow } from '../../store/rows.ts'
import type { Store } from '../../store/store.ts'
import { connectionFacts } from '../audit/state-audit.ts'
import type { Disconnection, DisconnectionRequest, Revocation } from '../broker.ts'
import { type Connection, isAlive, openConnection } from '../connection.ts'
import { type Connections, guard } from '../connections.ts'
import type { Clock, Log } from '../ports.ts'
import type { ProviderHandle, Providers } from '../providers.ts'
import type { Revocations } from './revocations.ts'

/** How long a disconnect waits for the provider before it says PENDING; the attempts go on. */
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
  const { provider, account, caller } = request
  // Tokens in memory may be newer than what is stored: they wait in the spool.
  const current = ports.connections.peek(request) ?? connection
  let entries: readonly RevocationRow[] = []
  const removed = await guard(
    ports.store.removeConnection(provider, account, stored => {
      entries = revocable ? revocationsOf(ports, stored, current) : []
      const revocation = keep ? 'SKIPPED_SHARED' : entries.length > 0 ? 'FILED' : 'UNSUPPORTED'
      const details = { provider_account_id: stored.providerAccountId, revocation }
      const event = 'CONNECTION_DISCONNECTED'
      return {
        revocations: entries,
        entry: ports.audit.entry({ ...connectionFacts(stored), event, caller, details }),
      }
    }),
  )
  ports.connections.drop(removed ?? current.row)
  ports.log.info('Disconnected', { provider, account, requestId: caller?.origin?.requestId })

  // Another process may have removed it meanwhile.
  const kept = removed === undefined ? 'NOTHING_TO_REVOKE' : keep ? 'SKIPPED_SHARED' : undefined
  const revocation = kept ?? (await revokeNow(ports, entries, current))
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

/** All that the connection has: what is stored at the moment of its removal, and what waits to be. */
function revocationsOf(
  { revocations, keyring, clock }: Ports,
  stored: ConnectionRow,
  { row, tokens: newer }: Connection,
): readonly RevocationRow[] {
  const { tokens } = openConnection(stored, keyring, clock)
  const isNewer = isGrant(row, stored) && row.counter > stored.counter
  return [
    ...(tokens ? revocations.file(stored, tokens) : []),
    ...(isNewer && newer ? revocations.file({ ...stored, sealedSibling: undefined }, newer) : []),
  ]
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
