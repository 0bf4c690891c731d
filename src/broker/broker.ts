import type { CallOrigin } from '../audit/audit.ts'
import type { Secret } from '../secret.ts'
import type { RestoreReport } from '../store/restores.ts'
import type { Expiry, StoredState } from '../store/rows.ts'
import type { AuditReader } from './audit/reader.ts'
import type { Consent, ConsentConfirmation, ConsentLink, ConsentLinkRequest } from './consent/consent.ts'
import type { ConsentFlow } from './consent/flow.ts'
import type { BrokerError } from './errors.ts'
import type { GovernorSnapshot } from './governor/governor.ts'
import type { Keys } from './keys/keys.ts'
import type { RebindRequest, RebindResult } from './keys/rebind.ts'
import type { Sight } from './visible-rows.ts'

/**
 * What the broker does, as its edges (gRPC and browser) see it. Requests are already authorized;
 * names are well-formed. Every method throws `BrokerError` and nothing else on purpose.
 * Times are milliseconds since the epoch, lengths milliseconds; an absent time means none or unknown.
 */
export interface Broker extends AuditReader {
  getAccessToken(request: TokenRequest): Promise<AccessToken>
  /** Yields until `signal` aborts. */
  watchAccessTokens(request: TokenWatch): AsyncIterable<TokenState>
  /** With `verify` the provider is asked, at most once in some seconds for all callers. Throws `RATE_LIMITED`. */
  getStatus(request: ConnectionName & Recorded & { readonly verify: boolean }): Promise<ConnectionStatus>
  refresh(
    request: ConnectionName & Recorded,
  ): Promise<{ readonly status: ConnectionStatus; readonly refreshed: boolean }>
  disconnect(request: DisconnectionRequest): Promise<Disconnection>

  createConsentLink(request: ConsentLinkRequest): Promise<ConsentLink>
  getConsent(consentId: string): Promise<Consent>
  /** Answers the outcome, whatever it is. */
  completeConsent(request: ConsentConfirmation): Promise<Consent>
  importConnection(request: ImportRequest): Promise<Import>
  listConnections(request: ConnectionListRequest): Promise<ConnectionList>
  /** Yields until `signal` aborts. Throws `BROKER_UNAVAILABLE` if the store is away or the reader too slow. */
  watchConnections(request: ConnectionWatch): AsyncIterable<ConnectionStatus>
  /** Ordered by id. Counts the connections that are visible; absent = all. */
  listProviders(sight?: Sight): Promise<ProviderSummary[]>
  /** Binds stored tokens to the endpoint and client that are configured now. */
  rebindConnections(request: RebindRequest): Promise<RebindResult>
  /** What became of the last accepted restore; absent = none was ever accepted. */
  restoreReport(): Promise<RestoreReport | undefined>
  /** Whether such a provider is configured. */
  hasProvider(provider: string): boolean
  /** The scopes of a grant for which none are named; none where no such provider is configured. */
  configuredScopes(provider: string): readonly string[]

  /** The keys of the store; absent where nobody takes care of them. */
  readonly keys?: Keys

  /** The browser's side of consent. */
  readonly consent: ConsentFlow

  /** Why the broker is not ready to serve; empty when it is. */
  unreadiness(): readonly string[]
  /**
   * Settles what a former run left in the spool, then starts renewal in the background. Nothing may be served before it resolves:
   * the spool may hold the only refresh token that still works.
   */
  start(): Promise<void>
  /**
   * Begins nothing by itself any more but to find out what became of refreshes whose outcome is unknown, which may not
   * wait for the next start. For the time in which a stop waits for callers: what began meanwhile would prolong it.
   */
  rest(): void
  /** Stops background work, sends nothing that still waits for its turn, and waits until what is in flight is stored. */
  stop(): Promise<void>
}

/** Names one connection. */
export interface ConnectionName {
  readonly provider: string
  /** `""` is the system-level credential. */
  readonly account: string
}

/** Who asks, for the audit. */
export interface CallerIdentity {
  readonly name: string
  /** How the caller proved its name: `operator_token`, `static_token`, `mtls`, `jwt`. */
  readonly authentication: string
  /** Where its call came from; absent = unknown. */
  readonly origin?: CallOrigin
}

/** Whoever asks may be recorded. */
interface Recorded {
  readonly caller?: CallerIdentity
}

export interface TokenRequest extends ConnectionName {
  readonly caller: CallerIdentity
  /** Absent = the smaller of 60 s and half the lifetime; 0 = any unexpired token. At most 24 h. */
  readonly minTtlMs?: number
  /** The version that the provider refused. */
  readonly rejectedVersion?: string
  readonly requiredScopes: readonly string[]
  /** Asked before the token is recorded as given; what it throws ends the request. Absent = may have it, however late. */
  readonly authorize?: () => void
  /** Ends this caller's waiting, never the refresh. */
  readonly signal?: AbortSignal
}

export interface TokenWatch {
  readonly connections: readonly ConnectionName[]
  readonly caller: CallerIdentity
  /** Asked before each state is made; what it throws ends the watch. */
  readonly authorize: (name: ConnectionName) => void
  readonly signal: AbortSignal
}

/** The token of a watched connection, or what `getAccessToken` would fail with. */
export type TokenState =
  | { readonly connection: ConnectionName; readonly token: AccessToken }
  | { readonly connection: ConnectionName; readonly error: BrokerError }

/** Where a token comes from. */
export type Source = 'OAUTH' | 'STATIC'

export interface AccessToken {
  readonly accessToken: Secret
  readonly tokenType: string
  readonly version: string
  readonly expiresAt?: number
  readonly expiry: Expiry
  readonly scopes: readonly string[]
  readonly source: Source
  readonly providerAccountId: string
  readonly providerAccountName: string
  readonly presentation: Presentation
  readonly attributes: Readonly<Record<string, string>>
  readonly rotatesNotBefore?: number
  readonly degraded?: { readonly reason: string; readonly since: number }
}

/** How a provider's API wants the token. */
export interface Presentation {
  readonly headerName: string
  readonly valuePrefix: string
  readonly headers: Readonly<Record<string, string>>
  readonly baseUrl: string
}

export type ConnectionState = StoredState | 'NOT_CONNECTED' | 'PROVIDER_MISCONFIGURED' | 'UNREADABLE'

export interface ConnectionStatus extends ConnectionName {
  readonly state: ConnectionState
  readonly connected: boolean
  readonly healthy: boolean
  readonly source?: Source
  readonly providerAccountId: string
  readonly providerAccountName: string
  readonly requestedScopes: readonly string[]
  readonly grantedScopes: readonly string[]
  readonly missingScopes: readonly string[]
  readonly outcomeUnknownSince?: number
  readonly connectTime?: number
  readonly expiresAt?: number
  readonly refreshExpiresAt?: number
  readonly grantExpiresAt?: number
  readonly lastRefreshAt?: number
  readonly nextRefreshAt?: number
  readonly lastUsedAt?: number
  readonly consecutiveFailures: number
  readonly lastError?: {
    readonly class: string
    readonly reason: string
    readonly providerCode: string
    readonly message: string
    readonly at: number
  }
  /** One sentence: what happened, and what to do. */
  readonly diagnosis: string
  readonly version: string
  readonly verification?: { readonly result: VerificationResult; readonly at: number }
}

export type VerificationResult = 'VERIFIED' | 'REJECTED' | 'UNSUPPORTED' | 'UNAVAILABLE'
export type Revocation = 'REVOKED' | 'UNSUPPORTED' | 'PENDING' | 'NOTHING_TO_REVOKE' | 'SKIPPED_SHARED'

export interface DisconnectionRequest extends ConnectionName, Recorded {
  readonly shared: 'KEEP' | 'REVOKE'
}

export interface Disconnection {
  readonly revocation: Revocation
  readonly sharedConnections: readonly ConnectionName[]
  readonly staticTokenRemains: boolean
}

/** A grant that another system obtained. */
export interface ImportRequest extends ConnectionName, Recorded {
  readonly credential: {
    /** A `migration_token` is turned into a grant by the provider first. */
    readonly kind: 'access_token' | 'migration_token'
    readonly token: Secret
  }
  readonly refreshToken?: Secret
  readonly expiresAt?: number
  readonly refreshExpiresAt?: number
  /** Empty = unknown. */
  readonly scopes: readonly string[]
  /** Empty = unknown. */
  readonly providerAccountId: string
  readonly variables: Readonly<Record<string, string>>
  readonly attributes: Readonly<Record<string, string>>
  readonly check: 'NONE' | 'VERIFY' | 'REFRESH'
  readonly replace: boolean
}

export interface Import {
  readonly outcome: 'IMPORTED' | 'ALREADY_THERE' | 'REFRESH_FAILED'
  readonly status: ConnectionStatus
  /** What to know or do beside, as a sentence; empty if nothing. */
  readonly note: string
}

export interface ConnectionListRequest extends Sight {
  readonly provider?: string
  readonly state?: StoredState
  readonly pageSize: number
  readonly pageToken: string
}

export interface ConnectionList {
  readonly connections: readonly ConnectionStatus[]
  readonly nextPageToken: string
}

export interface ConnectionWatch {
  /** Absent = all. */
  readonly provider?: string
  /** Which connections the caller may see, asked before each state; what it throws ends the watch. */
  readonly visible: (name: ConnectionName) => boolean
  readonly signal: AbortSignal
}

export interface ProviderSummary {
  readonly provider: string
  readonly definition: string
  readonly environment: string
  readonly scopes: readonly string[]
  readonly redirectUri: string
  readonly hasStaticToken: boolean
  readonly connectionCount: number
  readonly reauthRequiredCount: number
  readonly health: GovernorSnapshot
}
