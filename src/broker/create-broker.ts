import type { Audit } from '../audit/audit.ts'
import type { OAuthClient } from '../oauth/client.ts'
import type { KeyAdmin } from '../store/key-admin.ts'
import type { Keyring } from '../store/keyring.ts'
import type { Spool } from '../store/spool.ts'
import type { Store } from '../store/store.ts'
import { findReleases, listAuditRecords } from './audit/lists.ts'
import type { Broker } from './broker.ts'
import { createChanges } from './changes.ts'
import { createConnections, guard } from './connections.ts'
import { completeConsent } from './consent/confirm.ts'
import { createConsentExpiry } from './consent/expiry.ts'
import { finishConsent } from './consent/finish.ts'
import { createConsentLink, getConsent } from './consent/link.ts'
import { startConsent, viewConsent } from './consent/start.ts'
import { importConnection } from './import/import-connection.ts'
import { createKeys } from './keys/keys.ts'
import { rebindConnections } from './keys/rebind.ts'
import { createRestoreWatch } from './keys/restore-report.ts'
import { listConnections, listProviders } from './lists.ts'
import { createForcedLimit, createVerifiedLimit } from './policy/caller-limit.ts'
import type { Clock, Log, Random } from './ports.ts'
import { createProviders } from './providers.ts'
import { createForcedRefresh } from './refresh/forced-refresh.ts'
import { createLeases } from './refresh/lease.ts'
import { createPendingCommits } from './refresh/pending-commits.ts'
import { createRefresher } from './refresh/refresher.ts'
import { createEndingWarnings } from './renewal/ending-warnings.ts'
import { createRenewer } from './renewal/renewer.ts'
import { createTouch } from './renewal/touch.ts'
import { createUsage } from './renewal/usage.ts'
import { createWallClock } from './renewal/wall-clock.ts'
import { disconnect } from './revocation/disconnect.ts'
import { createRevocations } from './revocation/revocations.ts'
import { statusOf, withLastUse } from './status.ts'
import { createAskedVerifications } from './tokens/asked-verifications.ts'
import { createClientCredentials } from './tokens/client-credentials.ts'
import { createRejectionLimit } from './tokens/rejection-limit.ts'
import { getAccessToken } from './tokens/tokens.ts'
import { createWatches } from './watch/create-watches.ts'

/** Everything that the broker takes from outside. */
export interface BrokerPorts {
  readonly clients: readonly OAuthClient[]
  readonly store: Store
  readonly keyring: Keyring
  /** Changes the keys; absent = nobody does, as in a simulation. */
  readonly keys?: KeyAdmin
  /** Where renewed tokens wait while the store cannot take them. */
  readonly spool: Spool
  readonly audit: Audit
  readonly clock: Clock
  readonly random: Random
  readonly log: Log
  /** Where browsers reach the consent listener, without a trailing slash. */
  readonly publicUrl: string
  /** Where browsers go after a two-step consent, by `return_id`. Default: none. */
  readonly returnUrls?: ReadonlyMap<string, string>
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
  const connections = createConnections({
    ...{ store, keyring, changes, usage, wallClock, clock },
    reloadKeys: outside.keys?.reload,
  })
  store.onForeignChange(connections.forget)
  const leases = createLeases(outside, outside.replica)
  const endings = createEndingWarnings(outside)
  const base = { ...outside, providers, connections, usage, changes, wallClock, leases, endings }
  const revocations = createRevocations(base)
  const pending = createPendingCommits({ ...base, revocations })
  const refresher = createRefresher({ ...base, pending })
  const expiry = createConsentExpiry(outside)
  const returnUrls = outside.returnUrls ?? new Map<string, string>()
  const forced = createForcedLimit(clock)
  const inner = { ...base, revocations, pending, refresher, forced, expiry, returnUrls }
  const renewer = createRenewer(inner)
  const keys = outside.keys && createKeys({ ...outside, admin: outside.keys })
  const restore = createRestoreWatch(outside)
  const forcedRefresh = createForcedRefresh(inner)
  const verifications = createAskedVerifications(createVerifiedLimit(clock), clock)
  const tokens = {
    ...inner,
    clientCredentials: createClientCredentials(inner),
    rejections: createRejectionLimit(clock),
    touch: createTouch(inner),
  }
  return {
    ...createWatches(tokens),
    getAccessToken: request => getAccessToken(tokens, request),
    refresh: forcedRefresh.refresh,
    disconnect: request => disconnect(inner, request),
    async getStatus(request) {
      const handle = providers.get(request.provider)
      const connection = await connections.load(request)
      const status = withLastUse(statusOf(handle, request, connection, clock), connection, usage)
      if (!request.verify) return status
      return { ...status, verification: await verifications.verify(handle, connection, request.caller) }
    },
    createConsentLink: request => createConsentLink(inner, request),
    getConsent: id => getConsent(inner, id),
    completeConsent: request => completeConsent(inner, request),
    importConnection: request => importConnection(inner, request),
    listConnections: request => listConnections(inner, request),
    listProviders: sight => listProviders(inner, sight),
    listAuditRecords: request => listAuditRecords(inner, request),
    findReleases: search => findReleases(inner, search),
    hasProvider: id => providers.has(id),
    configuredScopes: id => (providers.has(id) ? providers.get(id).provider.scopes : []),
    keys,
    rebindConnections: request => rebindConnections(inner, request),
    restoreReport: restore.report,
    consent: {
      view: link => guard(viewConsent(inner, link)),
      start: (link, cookie) => guard(startConsent(inner, link, cookie)),
      finish: callback => guard(finishConsent(inner, callback)),
      isRedirectPath: path => providers.all().some(({ provider }) => provider.redirectPath === path),
    },
    unreadiness: () =>
      [renewer.storeTrouble(), unstored(pending.size()), audit.trouble()].filter(why => why !== undefined),
    async start() {
      await renewer.recover()
      renewer.start()
      keys?.start()
      if (keys !== undefined) restore.start()
      expiry.start()
      endings.start()
    },
    rest: renewer.rest,
    async stop() {
      const renewed = renewer.stop()
      // Who only waits for a turn has lost nothing; whoever is sent now may be killed before its answer is stored.
      for (const { governor } of providers.all()) governor.dismiss()
      restore.stop()
      await keys?.stop()
      await renewed
      await expiry.stop()
      await endings.stop()
      await refresher.settled()
      await pending.stop()
      await revocations.settled()
      await usage.flush()
      await audit.flush().catch(error => log.error('Could not write the release summary', { error }))
    },
  }
}

function unstored(count: number): string | undefined {
  return count === 0 ? undefined : `${count} renewed sets of tokens wait to be stored`
}
