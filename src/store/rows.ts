import type { AuditEntry } from './record-rows.ts'

/** The states that are stored; others are derived when read. */
export type StoredState = 'ACTIVE' | 'REAUTH_REQUIRED' | 'CONNECTION_MISCONFIGURED'
export type Expiry = 'STATED' | 'ASSUMED' | 'NEVER' | 'UNKNOWN'

/** A stored row that can be read, perhaps but for some columns. */
export interface Damageable {
  /**
   * Columns whose stored text is not what was written, so that they read as empty: nothing is sent by such a row, and what
   * stands there stays until the whole row is replaced or removed. Absent = none.
   */
  readonly damaged?: readonly string[]
}

/** What was granted to a (provider, account). All times in milliseconds since the epoch. */
export interface ConnectionRow extends GrantFacts, Damageable {
  /** Random; never reused. */
  readonly id: string
  readonly provider: string
  readonly account: string
  readonly state: StoredState
  /** Why the state is what it is; a closed code, empty for ACTIVE. */
  readonly stateReason: string
  readonly stateSince: number
  readonly grantEpoch: number
  readonly counter: number
  /** When consent was given. */
  readonly connectTime: number
  readonly lastRefreshAt?: number
  /** When the renewer looks at it next; absent = never. */
  readonly nextRefreshAt?: number
  readonly lastUsedAt?: number
  readonly attemptId?: string
  readonly attemptStartedAt?: number
  /** Since when nobody knows whether the provider acted on an attempt. */
  readonly outcomeUnknownSince?: number
  readonly outcomeUnknownTries: number
  /** The refresh token of a late success whose base had moved; tried when the stored one is refused. */
  readonly sealedSibling?: Uint8Array
  /** Until when the sibling is kept though the stored refresh token works; it is tried however late. */
  readonly siblingUntil?: number
  /** Whether the stored refresh token may be dead without anybody having been told; the next success ends it. */
  readonly suspect: boolean
  readonly leaseEpoch: number
  readonly leaseOwner?: string
  readonly leaseUntil?: number
  readonly failures: number
  readonly failingSince?: number
  readonly lastError?: StoredError
}

/** What a consent, an import or a refresh brings. */
export interface GrantFacts extends TokenFacts {
  /** Origin of the token endpoint that the tokens were sealed for. */
  readonly tokenOrigin: string
  /**
   * Origins of the endpoints for revocation and verification when the grant was made or bound anew, sorted: beside
   * the token endpoint's the only ones that its tokens are sent to. Absent = none was noted.
   */
  readonly endpointOrigins?: readonly string[]
  /** Fingerprint of the client id that the tokens belong to. */
  readonly clientFingerprint: string
  readonly requestedScopes: readonly string[]
  readonly variables: Readonly<Record<string, string>>
  /** When the grant ends whatever is done; absent = never or unknown. */
  readonly grantExpiresAt?: number
}

/** One set of tokens. */
export interface TokenFacts {
  /** Opaque random name of the access token. */
  readonly version: string
  /** Keyed fingerprint of the client secret with which the tokens came; absent = unknown, or none was used. */
  readonly clientSecretFingerprint?: string
  readonly sealedAccessToken: Uint8Array
  readonly sealedRefreshToken?: Uint8Array
  readonly tokenType: string
  /** When the request that brought the access token was sent; 0 = nobody knows, because it was imported. */
  readonly obtainedAt: number
  readonly expiresAt?: number
  readonly expiry: Expiry
  readonly refreshExpiresAt?: number
  /** Absent = the provider did not tell. */
  readonly grantedScopes?: readonly string[]
  readonly providerAccountId: string
  readonly providerAccountName: string
  readonly attributes: Readonly<Record<string, string>>
}

/** The last failure, without any secret. */
export interface StoredError {
  readonly class: string
  readonly reason: string
  readonly providerCode: string
  readonly message: string
  readonly at: number
}

export interface AttemptAdoption {
  readonly now: number
  /** `all`: the caller knows that nobody else is at work; `expired`: those whose lease ends at `now` or before. */
  readonly leases: 'all' | 'expired'
}

export interface ConnectionName {
  readonly provider: string
  readonly account: string
}

/** One grant of a connection, whatever its tokens are by now. */
export interface GrantBase {
  readonly id: string
  readonly grantEpoch: number
}

/** What a conditional write was based on. */
export interface Base extends GrantBase {
  readonly counter: number
}

export interface NewGrant extends GrantFacts {
  /** The id of the row: new, or the stored one's. */
  readonly id: string
  readonly provider: string
  readonly account: string
  /** The row that this grant replaces; `null` = there is none. */
  readonly expected: GrantBase | null
  readonly connectTime: number
  readonly nextRefreshAt?: number
  readonly cancelRevocations: boolean
}

export interface AttemptStart extends Base {
  /** How many failures it knows of: a refusal is judged by what came before it. */
  readonly failures: number
  readonly attemptId: string
  readonly now: number
  readonly leaseOwner: string
  readonly leaseUntil: number
}

/** What a removed connection leaves behind. */
export interface Leaving {
  /** The revocations of its tokens. */
  readonly revocations: readonly RevocationRow[]
  readonly entry?: AuditEntry
}

export interface RefreshSuccess extends TokenFacts {
  readonly now: number
  readonly nextRefreshAt?: number
  readonly grantExpiresAt?: number
  /**
   * Whether the sibling brought it, which is then cleared. `sealedRefreshToken` is needed with it, sealed anew
   * from the sibling if the answer has none: without it the sibling stays. Default: false.
   */
  readonly siblingUsed?: boolean
}

/** An answer with a refresh token that works and no access token that does. */
export interface KeptRefreshToken {
  readonly sealedRefreshToken: Uint8Array
  readonly now: number
  readonly nextRefreshAt: number
  readonly error: StoredError
}

/** The refresh token of a late success whose base had moved. */
export interface KeptSibling {
  /** Sealed for the column `sibling`. */
  readonly sealedRefreshToken: Uint8Array
  /** From when on it goes if the stored one works. */
  readonly until: number
  readonly nextRefreshAt: number
}

export interface RefreshFailure {
  readonly attemptId: string
  readonly error: StoredError
  readonly state: StoredState
  readonly stateReason: string
  /** Whether the provider may have acted: the unknown outcome then stays recorded. */
  readonly outcomeUnknown: boolean
  /** Whether the sibling was refused, too, and is of no use any more; it is then cleared. Default: false. */
  readonly siblingRefused?: boolean
  readonly nextRefreshAt?: number
}

/** The tokens of a connection, sealed for another endpoint and client; what is absent is removed. */
export interface Rebinding
  extends Pick<
    ConnectionRow,
    | 'tokenOrigin'
    | 'endpointOrigins'
    | 'clientFingerprint'
    | 'sealedAccessToken'
    | 'sealedRefreshToken'
    | 'sealedSibling'
  > {
  /** Due then, unless it is due earlier or not at all. */
  readonly nextRefreshAt: number
}

export interface ConnectionFacts {
  readonly providerAccountId?: string
  readonly providerAccountName?: string
  readonly grantedScopes?: readonly string[]
  readonly expiresAt?: number
  readonly expiry?: Expiry
  /** `null` clears it; absent keeps it. */
  readonly nextRefreshAt?: number | null
}

/** A revocation that the provider has not confirmed yet. */
export interface RevocationRow extends Damageable {
  readonly id: string
  readonly connectionId: string
  readonly provider: string
  readonly account: string
  readonly grantEpoch: number
  readonly tokenOrigin: string
  readonly endpointOrigins?: readonly string[]
  readonly clientFingerprint: string
  readonly providerAccountId: string
  readonly variables: Readonly<Record<string, string>>
  readonly attributes: Readonly<Record<string, string>>
  readonly sealedAccessToken?: Uint8Array
  readonly sealedRefreshToken?: Uint8Array
  readonly createdAt: number
  /** After that it is given up. */
  readonly expiresAt: number
  readonly nextTryAt: number
  readonly tries: number
}

/** One account of an authorization server as one client knows it, by whatever provider id. */
export type SharedAccount = Pick<ConnectionRow, 'clientFingerprint' | 'tokenOrigin' | 'providerAccountId'>

export type RevocationTokens = Pick<RevocationRow, 'sealedAccessToken' | 'sealedRefreshToken'>
