import type { AccessToken, Broker, ConnectionStatus, ProviderSummary } from '../../src/broker/broker.ts'
import type { Consent } from '../../src/broker/consent/consent.ts'
import { BrokerError } from '../../src/broker/errors.ts'
import { Secret } from '../../src/secret.ts'

/** The moment of every time in the fixtures. */
export const NOW = Date.UTC(2026, 10, 20, 12)

/** A token with every field set. */
export const TOKEN: AccessToken = {
  accessToken: new Secret('ya29.canary-access-token'),
  tokenType: 'Bearer',
  version: 'v1_Abc-9',
  expiresAt: NOW + 3_600_000,
  expiry: 'STATED',
  scopes: ['ads:read', 'boards:read'],
  source: 'OAUTH',
  providerAccountId: '1234',
  providerAccountName: 'acme',
  presentation: {
    headerName: 'Authorization',
    valuePrefix: 'Bearer ',
    headers: { 'Square-Version': '2026-05-20' },
    baseUrl: 'https://api.example',
  },
  attributes: { realm_id: '77' },
  rotatesNotBefore: NOW + 60_000,
  degraded: { reason: 'PROVIDER_UNAVAILABLE', since: NOW - 1_500 },
}

/** A status with every field set. */
export const STATUS: ConnectionStatus = {
  provider: 'pinterest',
  account: 'acme',
  state: 'ACTIVE',
  connected: true,
  healthy: false,
  source: 'OAUTH',
  providerAccountId: '1234',
  providerAccountName: 'acme',
  requestedScopes: ['ads:read', 'boards:read'],
  grantedScopes: ['ads:read'],
  missingScopes: ['boards:read'],
  outcomeUnknownSince: NOW - 1,
  connectTime: NOW - 2,
  expiresAt: NOW + 3,
  refreshExpiresAt: NOW + 4,
  grantExpiresAt: NOW + 5,
  lastRefreshAt: NOW - 6,
  nextRefreshAt: NOW + 7,
  lastUsedAt: NOW - 8,
  consecutiveFailures: 2,
  lastError: {
    class: 'retry',
    reason: 'PROVIDER_UNAVAILABLE',
    providerCode: 'temporarily_unavailable',
    message: 'the provider answered 503',
    at: NOW - 9,
  },
  diagnosis: 'The provider is down; the broker tries again.',
  version: 'v1_Abc-9',
  verification: { result: 'VERIFIED', at: NOW },
}

/** A connection of which nothing is stored. */
export function notConnected(provider: string, account: string): ConnectionStatus {
  return {
    provider,
    account,
    state: 'NOT_CONNECTED',
    connected: false,
    healthy: false,
    providerAccountId: '',
    providerAccountName: '',
    requestedScopes: [],
    grantedScopes: [],
    missingScopes: [],
    consecutiveFailures: 0,
    diagnosis: 'Nothing is connected under this name; create a consent link.',
    version: '',
  }
}

/** A consent that succeeded. */
export const CONSENT: Consent = {
  consentId: 'consent-1',
  provider: 'pinterest',
  account: 'acme',
  state: 'COMPLETED',
  status: STATUS,
  createdAt: NOW - 60_000,
  expiresAt: NOW + 540_000,
}

/** A configured provider. */
function providerSummary(provider: string): ProviderSummary {
  return {
    provider,
    definition: 'pinterest',
    environment: 'production',
    scopes: ['ads:read'],
    redirectUri: 'http://localhost:8085/pinterest/oauth/callback',
    hasStaticToken: true,
    connectionCount: 3,
    reauthRequiredCount: 1,
    health: {
      inFlight: 1,
      waiting: 4,
      consecutiveFailures: 2,
      lastSuccessAt: NOW - 1,
      lastFailureAt: NOW,
      breaker: 'open',
      openSince: NOW - 2,
      retryBudget: 17,
      holdingVerdictsSince: NOW - 3,
    },
  }
}

const PROVIDERS = ['pinterest', 'square-eu']
const CONNECTIONS = [STATUS, { ...STATUS, account: 'zeta' }, { ...STATUS, provider: 'square-eu' }]

const RECORD = {
  sequence: 1,
  time: NOW,
  event: 'TOKEN_RELEASED',
  outcome: 'SUCCEEDED',
  reason: '',
  caller: 'ads',
  authentication: 'static_token',
  provider: 'pinterest',
  account: 'acme',
  connectionId: 'c1',
  version: 'v1',
  requestId: 'r1',
  peer: '127.0.0.1:1',
  keyId: 'aa',
  fingerprint: 'f'.repeat(32),
  count: 1,
  details: { method: 'GetAccessToken' },
}
const AUDIT = [
  RECORD,
  { ...RECORD, sequence: 2, provider: 'square-eu' },
  { ...RECORD, sequence: 3, event: 'BROKER_STARTED', provider: '', account: '' },
]
const RELEASES = AUDIT.slice(0, 2).map(({ time, ...record }) => ({ ...record, firstAt: time, lastAt: time }))

/**
 * A broker that knows two providers and three connections and keeps nothing.
 *
 * @param overrides methods that a test wants to behave otherwise
 */
export function createFakeBroker(overrides: Partial<Broker> = {}): Broker {
  return {
    getAccessToken: async ({ provider }) => {
      requireProvider(provider)
      return TOKEN
    },
    async *watchAccessTokens({ connections, authorize, signal }) {
      for (const connection of connections) {
        authorize(connection)
        yield { connection, token: TOKEN }
      }
      await aborted(signal)
    },
    getStatus: async ({ provider, account }) => {
      requireProvider(provider)
      const found = CONNECTIONS.find(status => status.provider === provider && status.account === account)
      return found ?? notConnected(provider, account)
    },
    rebindConnections: async ({ provider, account, dryRun }) => {
      requireProvider(provider)
      return {
        tokenOrigin: 'https://new.example',
        previousOrigins: ['https://old.example'],
        endpointOrigins: ['https://revoke.example'],
        rebound: dryRun ? 0 : 2,
        unchanged: account === undefined ? 3 : 0,
        skipped: 1,
        skippedAccounts: ['zeta'],
      }
    },
    restoreReport: async () => ({
      acceptedAt: NOW,
      survived: 2,
      lost: 1,
      pending: 4,
      lostConnections: [{ provider: 'pinterest', account: 'acme' }],
    }),
    keys: {
      list: async () => ({
        keys: [{ kid: 'aa', purpose: 'SEAL', state: 'PRIMARY', createdAt: NOW, values: 7 }],
        rootFingerprint: 'ff',
        unknownKeyValues: 1,
        resealing: true,
      }),
      rotate: async () => ({ kid: 'bb', rotated: true }),
      rewrap: async () => ({ rootFingerprint: 'ee', keys: 2 }),
      start() {},
      async stop() {},
    },
    refresh: async ({ provider }) => {
      requireProvider(provider)
      return { status: STATUS, refreshed: true }
    },
    disconnect: async ({ provider, shared }) => {
      requireProvider(provider)
      return {
        revocation: shared === 'REVOKE' ? 'REVOKED' : 'SKIPPED_SHARED',
        sharedConnections: [
          { provider, account: 'zeta' },
          { provider, account: 'acme-2' },
        ],
        staticTokenRemains: true,
      }
    },
    createConsentLink: async ({ provider }) => {
      requireProvider(provider)
      const url = new Secret('http://localhost:8085/c/canary-link')
      return { url, consentId: 'consent-1', expiresAt: NOW + 600_000 }
    },
    getConsent: async consentId => {
      if (consentId === CONSENT.consentId) return CONSENT
      throw new BrokerError('CONSENT_NOT_FOUND', 'a sentence that only this broker would say')
    },
    completeConsent: async ({ consentId }) => {
      if (consentId === CONSENT.consentId) return CONSENT
      throw new BrokerError('CONSENT_NOT_FOUND', 'another sentence that only this broker would say')
    },
    importConnection: async ({ provider }) => {
      requireProvider(provider)
      return { outcome: 'IMPORTED', status: STATUS, note: 'a note' }
    },
    listConnections: async ({ provider, state, visible, pageSize }) => {
      if (provider !== undefined) requireProvider(provider)
      const listed = CONNECTIONS.filter(
        status =>
          (provider === undefined || status.provider === provider) &&
          (state === undefined || status.state === state) &&
          visible(status),
      )
      return { connections: listed.slice(0, pageSize), nextPageToken: listed.length > pageSize ? 'more' : '' }
    },
    async *watchConnections({ provider, visible, signal }) {
      const matching = CONNECTIONS.filter(
        status => (provider === undefined || status.provider === provider) && visible(status),
      )
      yield* matching
      await aborted(signal)
    },
    listProviders: async () => PROVIDERS.map(providerSummary),
    listAuditRecords: async ({ visible, pageSize }) => {
      const records = AUDIT.filter(visible)
      return { records: records.slice(0, pageSize), nextPageToken: records.length > pageSize ? 'more' : '' }
    },
    findReleases: async ({ token, visible }) => ({
      fingerprint: 'f'.repeat(32),
      releases: token.expose() === 'leaked' ? RELEASES.filter(visible) : [],
    }),
    hasProvider: provider => PROVIDERS.includes(provider),
    configuredScopes: () => ['ads:read'],
    consent: {
      view: unused,
      start: unused,
      finish: unused,
      isRedirectPath: () => false,
    },
    unreadiness: () => [],
    start: async () => {},
    rest: () => {},
    stop: async () => {},
    ...overrides,
  }
}

/** Resolves when a watch is over. */
export function aborted(signal: AbortSignal): Promise<void> {
  return new Promise(resolve => {
    if (signal.aborted) resolve()
    signal.addEventListener('abort', () => resolve(), { once: true })
  })
}

function requireProvider(provider: string): void {
  if (!PROVIDERS.includes(provider))
    throw new BrokerError('PROVIDER_NOT_FOUND', `no provider ${provider} is configured`)
}

function unused(): never {
  throw new Error('the gRPC edge never walks the browser side of consent')
}
