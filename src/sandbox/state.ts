import type { Account } from './accounts.ts'
import { BoundedMap } from './bounded-map.ts'

/** Grants that one dialect's server remembers: more than any load test connects. The oldest goes first. */
const GRANTS_MAX = 200_000
/** Tokens remembered per grant and kind. A forgotten one is answered like one that never was. */
const TOKENS_PER_GRANT_MAX = 1_000
/** Codes that wait for their exchange, or are kept to notice a second one. */
const CODES_MAX = 10_000

/** What one account allowed one client, once. Times in this file are milliseconds since the epoch. */
export interface Grant {
  readonly id: string
  readonly kind: 'authorization_code' | 'client_credentials'
  readonly clientId: string
  readonly account: Account
  readonly scopes: readonly string[]
  /** The S256 challenge that it was asked for with, if there was one. */
  readonly challenge?: string
  readonly createdAt: number
  readonly accessTokens: AccessToken[]
  readonly refreshTokens: RefreshToken[]
  /** Absent while the grant lives; once set, so are all of its tokens' ends. */
  revokedAt?: number
}

export interface AccessToken {
  readonly value: string
  readonly grant: Grant
  readonly scopes: readonly string[]
  readonly issuedAt: number
  /** The refresh token that was issued with it or yields it. */
  readonly refreshToken?: RefreshToken
  /** Absent = never. */
  expiresAt?: number
  revokedAt?: number
  /** How often it was presented to the API while it was good. */
  uses: number
}

export interface RefreshToken {
  readonly value: string
  readonly grant: Grant
  readonly issuedAt: number
  /** What it was exchanged for, oldest first; empty while it is unspent, and always with `replay: same`. */
  readonly successors: RefreshToken[]
  /** When the first successor was issued. */
  spentAt?: number
  /** Absent = never. */
  expiresAt?: number
  revokedAt?: number
  /** How often it was presented, whatever the answer was. */
  uses: number
  /** Whether it, or an access token issued with it, was ever used. Ends a predecessor's window. */
  touched: boolean
}

export interface Code {
  readonly value: string
  readonly clientId: string
  readonly account: Account
  readonly scopes: readonly string[]
  /** As the authorization request spelled it; absent if it named none. */
  readonly redirectUri?: string
  /** The S256 challenge, if there was one. */
  readonly challenge?: string
  readonly expiresAt: number
  /** Set by the exchange. */
  grant?: Grant
}

/** Everything that one dialect's server knows about grants. */
export interface State {
  readonly grants: BoundedMap<Grant>
  readonly codes: BoundedMap<Code>
  accessToken(value: string): AccessToken | undefined
  refreshToken(value: string): RefreshToken | undefined
  addAccessToken(token: AccessToken): void
  addRefreshToken(token: RefreshToken): void
  /** Forgets everything. */
  reset(): void
}

export function createState(): State {
  const accessTokens = new Map<string, AccessToken>()
  const refreshTokens = new Map<string, RefreshToken>()
  const forgetGrant = (grant: Grant) => {
    for (const token of grant.accessTokens) forget(accessTokens, token)
    for (const token of grant.refreshTokens) forget(refreshTokens, token)
  }
  const grants = new BoundedMap<Grant>(GRANTS_MAX, forgetGrant)
  const codes = new BoundedMap<Code>(CODES_MAX)

  return {
    grants,
    codes,
    accessToken: value => accessTokens.get(value),
    refreshToken: value => refreshTokens.get(value),
    addAccessToken: token => add(accessTokens, token.grant.accessTokens, token),
    addRefreshToken: token => add(refreshTokens, token.grant.refreshTokens, token),
    reset() {
      for (const map of [grants, codes, accessTokens, refreshTokens]) map.clear()
    },
  }
}

function add<Token extends { value: string }>(all: Map<string, Token>, ofGrant: Token[], token: Token): void {
  all.set(token.value, token)
  ofGrant.push(token)
  if (ofGrant.length <= TOKENS_PER_GRANT_MAX) return
  const oldest = ofGrant.shift()
  if (oldest !== undefined) forget(all, oldest)
}

/** A value that grants share leads to the latest of them, and stays when an earlier one goes. */
function forget<Token extends { value: string }>(all: Map<string, Token>, token: Token): void {
  if (all.get(token.value) === token) all.delete(token.value)
}

/** Whether a token can be used: neither revoked nor past its end. */
export function isLive(token: { expiresAt?: number; revokedAt?: number }, now: number): boolean {
  return token.revokedAt === undefined && (token.expiresAt === undefined || now < token.expiresAt)
}

/** Lets a token end as if its time were over. */
export function expireToken(token: { expiresAt?: number }, now: number): void {
  token.expiresAt = now
}

/** Ends a token; its first end counts. */
export function revokeToken(token: { revokedAt?: number }, now: number): void {
  token.revokedAt ??= now
}

/** Ends a grant and every token of it. */
export function revokeGrant(grant: Grant, now: number): void {
  grant.revokedAt ??= now
  for (const token of [...grant.accessTokens, ...grant.refreshTokens]) revokeToken(token, now)
}
