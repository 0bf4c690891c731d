import type {
  AccessToken,
  ConnectionList,
  ConnectionStatus,
  Disconnection,
  ProviderSummary,
} from '../broker/broker.ts'
import type { Consent, ConsentLink } from '../broker/consent/consent.ts'
import {
  CircuitBreaker,
  type Consent as ConsentProto,
  ConsentState,
  type CreateConsentLinkResponse,
  type ListConnectionsResponse,
  type Provider as ProviderProto,
} from '../gen/tokenbroker/v1/admin.ts'
import {
  type AccessToken as AccessTokenProto,
  ConnectionState,
  type ConnectionStatus as ConnectionStatusProto,
  type DisconnectResponse,
  Expiry,
  Revocation,
  Source,
  Verification_Result,
} from '../gen/tokenbroker/v1/token_broker.ts'

/** The one message that carries a token: here it leaves the process. */
export function accessTokenToProto(token: AccessToken): AccessTokenProto {
  return {
    accessToken: token.accessToken.expose(),
    tokenType: token.tokenType,
    version: token.version,
    expireTime: timeToProto(token.expiresAt),
    expiry: Expiry[token.expiry],
    scopes: [...token.scopes],
    source: Source[token.source],
    providerAccountId: token.providerAccountId,
    providerAccountName: token.providerAccountName,
    presentation: { ...token.presentation, headers: { ...token.presentation.headers } },
    attributes: { ...token.attributes },
    rotatesNotBefore: timeToProto(token.rotatesNotBefore),
    degraded: token.degraded && {
      reason: token.degraded.reason,
      since: timeToProto(token.degraded.since),
    },
  }
}

/** A connection's state. */
export function statusToProto(status: ConnectionStatus): ConnectionStatusProto {
  const { lastError, verification } = status
  return {
    provider: status.provider,
    account: status.account,
    state: ConnectionState[status.state],
    connected: status.connected,
    healthy: status.healthy,
    source: status.source === undefined ? Source.UNSPECIFIED : Source[status.source],
    providerAccountId: status.providerAccountId,
    providerAccountName: status.providerAccountName,
    requestedScopes: [...status.requestedScopes],
    grantedScopes: [...status.grantedScopes],
    missingScopes: [...status.missingScopes],
    outcomeUnknownSince: timeToProto(status.outcomeUnknownSince),
    connectTime: timeToProto(status.connectTime),
    expireTime: timeToProto(status.expiresAt),
    refreshExpireTime: timeToProto(status.refreshExpiresAt),
    grantExpireTime: timeToProto(status.grantExpiresAt),
    lastRefreshTime: timeToProto(status.lastRefreshAt),
    nextRefreshTime: timeToProto(status.nextRefreshAt),
    lastUsedTime: timeToProto(status.lastUsedAt),
    consecutiveFailures: status.consecutiveFailures,
    lastError: lastError && lastErrorToProto(lastError),
    diagnosis: status.diagnosis,
    version: status.version,
    verification: verification && {
      result: Verification_Result[verification.result],
      verifyTime: timeToProto(verification.at),
    },
  }
}

/** What a disconnection did. */
export function disconnectionToProto(disconnection: Disconnection): DisconnectResponse {
  return {
    revocation: Revocation[disconnection.revocation],
    sharedConnections: disconnection.sharedConnections.map(({ provider, account }) => ({
      provider,
      account,
    })),
    staticTokenRemains: disconnection.staticTokenRemains,
  }
}

/** A consent link: here its URL, which is as good as the right to consent, leaves the process. */
export function consentLinkToProto(link: ConsentLink): CreateConsentLinkResponse {
  return { url: link.url.expose(), consentId: link.consentId, expireTime: timeToProto(link.expiresAt) }
}

/** A consent and how it went. */
export function consentToProto(consent: Consent): ConsentProto {
  return {
    consentId: consent.consentId,
    provider: consent.provider,
    account: consent.account,
    state: ConsentState[consent.state],
    error: consent.error && { ...consent.error },
    status: consent.status && statusToProto(consent.status),
    createTime: timeToProto(consent.createdAt),
    expireTime: timeToProto(consent.expiresAt),
  }
}

/** A page of connections. */
export function connectionListToProto(list: ConnectionList): ListConnectionsResponse {
  return { connections: list.connections.map(statusToProto), nextPageToken: list.nextPageToken }
}

/** A configured provider. */
export function providerToProto(summary: ProviderSummary): ProviderProto {
  const { health } = summary
  return {
    provider: summary.provider,
    definition: summary.definition,
    environment: summary.environment,
    scopes: [...summary.scopes],
    redirectUri: summary.redirectUri,
    hasStaticToken: summary.hasStaticToken,
    connectionCount: summary.connectionCount,
    reauthRequiredCount: summary.reauthRequiredCount,
    health: {
      inFlight: health.inFlight,
      consecutiveFailures: health.consecutiveFailures,
      lastSuccessTime: timeToProto(health.lastSuccessAt),
      lastFailureTime: timeToProto(health.lastFailureAt),
      misconfiguredSince: timeToProto(health.misconfiguredSince),
      blockedUntil: timeToProto(health.blockedUntil),
      waiting: health.waiting,
      breaker: health.breaker === 'open' ? CircuitBreaker.OPEN : CircuitBreaker.CLOSED,
      openSince: timeToProto(health.openSince),
      retryBudget: health.retryBudget,
      holdingVerdictsSince: timeToProto(health.holdingVerdictsSince),
    },
  }
}

function lastErrorToProto(error: NonNullable<ConnectionStatus['lastError']>) {
  return {
    class: error.class,
    reason: error.reason,
    providerCode: error.providerCode,
    message: error.message,
    time: timeToProto(error.at),
  }
}

/** Milliseconds since the epoch as ts-proto's form of a Timestamp; absent stays absent. */
function timeToProto(ms: number | undefined): Date | undefined {
  return ms === undefined ? undefined : new Date(ms)
}
