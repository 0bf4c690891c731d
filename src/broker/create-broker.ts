import type { Audit } from '../audit/audit.ts'
import type { OAuthClient } from '../oauth/client.ts'
import type { Keyring } from '../store/keyring.ts'
import type { Store } from '../store/store.ts'
import type { Broker } from './broker.ts'
import { createClientCredentials } from './client-credentials.ts'
import { createConnections, guard } from './connections.ts'
import { finishConsent } from './consent-finish.ts'
import { createConsentLink, getConsent } from './consent-link.ts'
import { startConsent, viewConsent } from './consent-start.ts'
import { disconnect } from './disconnect.ts'
import { createForcedRefresh } from './forced-refresh.ts'
import { importConnection } from './import.ts'
import { listConnections, listProviders } from './lists.ts'
import type { Clock, Log, Random } from './ports.ts'
import { createProviders } from './providers.ts'
import { createRefresher } from './refresh.ts'
import { createRejectionLimit } from './rejection-limit.ts'
import { createRenewer } from './renewal.ts'
import { createRevocations } from './revocation.ts'
import { statusOf } from './status.ts'
import { getAccessToken } from './tokens.ts'
import { createUsage } from './usage.ts'
import { verifyToken } from './verification.ts'

/** Everything that the broker takes from outside. */
export interface BrokerPorts {
  readonly clients: readonly OAuthClient[]
  readonly store: Store
  readonly keyring: Keyring
  readonly audit: Audit
  readonly clock: Clock
  readonly random: Random
  readonly log: Log
  /** Where browsers reach the consent listener, without a trailing slash. */
  readonly publicUrl: string
}

/** Puts the broker together. It does nothing by itself before `start`. */
export function createBroker(outside: BrokerPorts): Broker {
  const { store, keyring, audit, clock, log } = outside
  const providers = createProviders(outside.clients, keyring, clock)
  const connections = createConnections(store, keyring, clock)
  const usage = createUsage(store, connections, clock, log)
  const base = { ...outside, providers, connections }
  const revocations = createRevocations(base)
  const refresher = createRefresher({
    ...base,
    abandon: (row, answer) =>
      void revocations
        .abandon(providers.get(row.provider), row, answer)
        .catch(error => log.error('Could not revoke abandoned tokens', { error })),
  })
  const inner = { ...base, revocations, refresher }
  const renewer = createRenewer(inner)
  const forced = createForcedRefresh(inner)
  const tokens = {
    ...inner,
    clientCredentials: createClientCredentials(inner),
    rejections: createRejectionLimit(clock),
    touch: usage.touch,
  }
  const consent = {
    ...inner,
    abandon: (...[handle, target, answer]: Parameters<typeof revocations.abandon>) =>
      revocations.abandon(handle, target, answer),
  }

  return {
    getAccessToken: request => getAccessToken(tokens, request),
    refresh: forced.refresh,
    disconnect: request => disconnect(inner, request),
    async getStatus(request) {
      const handle = providers.get(request.provider)
      const connection = await connections.load(request)
      const status = statusOf(handle, request, connection, clock)
      if (!request.verify) return status
      return { ...status, verification: await verifyToken(handle, connection, clock) }
    },
    createConsentLink: request => createConsentLink(consent, request),
    getConsent: id => getConsent(consent, id),
    importConnection: request => importConnection(inner, request),
    listConnections: request => listConnections(inner, request),
    listProviders: () => listProviders(inner),
    hasProvider: id => providers.has(id),
    consent: {
      view: link => guard(viewConsent(consent, link)),
      start: (link, cookie) => guard(startConsent(consent, link, cookie)),
      finish: callback => guard(finishConsent(consent, callback)),
      isRedirectPath: path => providers.all().some(({ provider }) => provider.redirectPath === path),
    },
    unreadiness: () => [renewer.storeTrouble()].filter(trouble => trouble !== undefined),
    start: renewer.start,
    async stop() {
      await renewer.stop()
      await refresher.settled()
      await usage.flush()
      await audit.flush().catch(error => log.error('Could not write the release summary', { error }))
    },
  }
}
