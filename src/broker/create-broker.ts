import type { Audit } from '../audit/audit.ts'
import type { OAuthClient } from '../oauth/client.ts'
import type { Keyring } from '../store/keyring.ts'
import type { Spool } from '../store/spool.ts'
import type { Store } from '../store/store.ts'
import type { Broker } from './broker.ts'
import { createChanges } from './changes.ts'
import { createClientCredentials } from './client-credentials.ts'
import { createConnections, guard } from './connections.ts'
import { finishConsent } from './consent-finish.ts'
import { createConsentLink, getConsent } from './consent-link.ts'
import { startConsent, viewConsent } from './consent-start.ts'
import { createWatches } from './create-watches.ts'
import { disconnect } from './disconnect.ts'
import { createForcedRefresh } from './forced-refresh.ts'
import { importConnection } from './import.ts'
import { createLeases } from './lease.ts'
import { listConnections, listProviders } from './lists.ts'
import { createPendingCommits } from './pending-commits.ts'
import type { Clock, Log, Random } from './ports.ts'
import { createProviders } from './providers.ts'
import { createRefresher } from './refresh.ts'
import { createRejectionLimit } from './rejection-limit.ts'
import { createRenewer } from './renewal.ts'
import { createRevocations } from './revocation.ts'
import { statusOf, withLastUse } from './status.ts'
import { getAccessToken } from './tokens.ts'
import { createUsage } from './usage.ts'
import { verifyToken } from './verification.ts'
import { createWallClock } from './wall-clock.ts'

/** Everything that the broker takes from outside. */
export interface BrokerPorts {
  readonly clients: readonly OAuthClient[]
  readonly store: Store
  readonly keyring: Keyring
  /** Where renewed tokens wait while the store cannot take them. */
  readonly spool: Spool
  readonly audit: Audit
  readonly clock: Clock
  readonly random: Random
  readonly log: Log
  /** Where browsers reach the consent listener, without a trailing slash. */
  readonly publicUrl: string
  /** Who this process is among those that share the store; absent = it is the only one. */
  readonly replica?: string
}

/** Puts the broker together. It does nothing by itself before `start`. */
export function createBroker(outside: BrokerPorts): Broker {
  const { store, keyring, audit, clock, log } = outside
  const providers = createProviders(outside.clients, keyring, clock)
  const changes = createChanges()
  const usage = createUsage(store, clock, log)
  const wallClock = createWallClock(store, clock, log)
  const connections = createConnections({ store, keyring, changes, usage, wallClock, clock })
  store.onForeignChange(connections.forget)
  const leases = createLeases(outside, outside.replica)
  const base = { ...outside, providers, connections, usage, changes, wallClock, leases }
  const revocations = createRevocations(base)
  const pending = createPendingCommits({ ...base, revocations })
  const refresher = createRefresher({ ...base, pending })
  const inner = { ...base, revocations, pending, refresher }
  const renewer = createRenewer(inner)
  const forced = createForcedRefresh(inner)
  const tokens = {
    ...inner,
    clientCredentials: createClientCredentials(inner),
    rejections: createRejectionLimit(clock),
    touch: usage.touch,
  }
  return {
    ...createWatches(tokens),
    getAccessToken: request => getAccessToken(tokens, request),
    refresh: forced.refresh,
    disconnect: request => disconnect(inner, request),
    async getStatus(request) {
      const handle = providers.get(request.provider)
      const connection = await connections.load(request)
      const status = withLastUse(statusOf(handle, request, connection, clock), connection, usage)
      if (!request.verify) return status
      return { ...status, verification: await verifyToken(handle, connection, clock) }
    },
    createConsentLink: request => createConsentLink(inner, request),
    getConsent: id => getConsent(inner, id),
    importConnection: request => importConnection(inner, request),
    listConnections: request => listConnections(inner, request),
    listProviders: () => listProviders(inner),
    hasProvider: id => providers.has(id),
    consent: {
      view: link => guard(viewConsent(inner, link)),
      start: (link, cookie) => guard(startConsent(inner, link, cookie)),
      finish: callback => guard(finishConsent(inner, callback)),
      isRedirectPath: path => providers.all().some(({ provider }) => provider.redirectPath === path),
    },
    unreadiness: () => [renewer.storeTrouble(), unstored(pending.size())].filter(why => why !== undefined),
    async start() {
      await renewer.recover()
      renewer.start()
    },
    async stop() {
      await renewer.stop()
      await refresher.settled()
      await pending.stop()
      await usage.flush()
      await audit.flush().catch(error => log.error('Could not write the release summary', { error }))
    },
  }
}

function unstored(count: number): string | undefined {
  return count === 0 ? undefined : `${count} renewed sets of tokens wait to be stored`
}
