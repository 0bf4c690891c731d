import type { Audit } from '../../audit/audit.ts'
import type { Keyring } from '../../store/keyring.ts'
import type { Store } from '../../store/store.ts'
import type { Connection } from '../connection.ts'
import type { Connections } from '../connections.ts'
import { BrokerError } from '../errors.ts'
import type { Clock, Log, Random } from '../ports.ts'
import type { Providers } from '../providers.ts'
import type { EndingWarnings } from '../renewal/ending-warnings.ts'
import type { Usage } from '../renewal/usage.ts'
import type { WallClock } from '../renewal/wall-clock.ts'
import type { Leases } from './lease.ts'
import type { PendingCommits } from './pending-commits.ts'

/** How a refresh went. */
export type RefreshOutcome =
  | { readonly ok: true; readonly connection: Connection }
  | { readonly ok: false; readonly connection: Connection; readonly error: BrokerError }

/** What refreshing needs. */
export interface RefreshPorts {
  readonly store: Store
  readonly keyring: Keyring
  readonly connections: Connections
  readonly providers: Providers
  readonly pending: PendingCommits
  readonly leases: Leases
  readonly audit: Audit
  readonly usage: Pick<Usage, 'lastUsedOf'>
  readonly wallClock: Pick<WallClock, 'hasJumped'>
  readonly endings: Pick<EndingWarnings, 'consider'>
  /** Who this process is among those that share the store; absent = it is the only one. */
  readonly replica?: string
  readonly clock: Clock
  readonly random: Random
  readonly log: Log
}

/** The row moved under the attempt: whoever moved it wins. */
export async function reread(ports: RefreshPorts, connection: Connection): Promise<RefreshOutcome> {
  const { row } = connection
  const current = await ports.connections.reread(row)
  if (current === null) {
    ports.connections.drop(row)
    const error = new BrokerError('CONSENT_REQUIRED', 'the connection was disconnected meanwhile')
    return { ok: false, connection, error }
  }
  const stored = current.row
  if (stored.id !== row.id || stored.counter !== row.counter || stored.grantEpoch !== row.grantEpoch) {
    return { ok: true, connection: current }
  }
  const error = new BrokerError('PROVIDER_UNAVAILABLE', 'another refresh of this connection is in flight', {
    retryAfterMs: 1_000,
  })
  return { ok: false, connection: current, error }
}
