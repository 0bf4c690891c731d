import type { Account } from './accounts.ts'
import type { Behavior } from './behavior.ts'
import type { Realm } from './realm.ts'
import { refreshTokenEnd } from './rotation.ts'
import { type AccessToken, type Grant, isLive, type RefreshToken, revokeToken } from './state.ts'

/** What a token request yields. */
export interface Tokens {
  readonly grant: Grant
  readonly accessToken: AccessToken
  /** Absent where the answer carries none: there is none, or it did not change and is left out. */
  readonly refreshToken?: RefreshToken
  /** When it was issued; the dialects count lifetimes from here. */
  readonly now: number
}

/** What somebody allowed. */
export interface Allowed {
  readonly clientId: string
  readonly account: Account
  readonly scopes: readonly string[]
  /** The S256 challenge of the authorization request, if there was one. */
  readonly challenge?: string
}

/** Starts a grant and issues its first tokens. */
export function startGrant(realm: Realm, kind: Grant['kind'], allowed: Allowed): Tokens {
  const now = realm.now()
  const behavior = realm.behaviorFor(allowed)
  const grant: Grant = {
    id: realm.mint('grant'),
    kind,
    clientId: allowed.clientId,
    account: allowed.account,
    scopes: behavior.cumulativeScopes ? everAllowed(realm, allowed) : allowed.scopes,
    challenge: allowed.challenge,
    createdAt: now,
    accessTokens: [],
    refreshTokens: [],
  }
  realm.state.grants.set(grant.id, grant)
  const refreshes = kind === 'authorization_code' && behavior.issuesRefreshToken
  const refreshToken = refreshes ? issueRefreshToken(realm, grant, behavior) : undefined
  return { grant, now, refreshToken, accessToken: issueAccessToken(realm, grant, behavior, { refreshToken }) }
}

function everAllowed(realm: Realm, allowed: Allowed): string[] {
  const earlier = grantsBetween(realm, allowed.clientId, allowed.account.id).flatMap(grant => grant.scopes)
  return [...new Set([...allowed.scopes, ...earlier])]
}

/** Everything that one account ever allowed one client, oldest first. */
export function grantsBetween(realm: Realm, clientId: string, accountId: string): Grant[] {
  return [...realm.state.grants.values()].filter(
    grant => grant.clientId === clientId && grant.account.id === accountId,
  )
}

/** @param options.scopes narrower than the grant's; absent = all of them */
export function issueAccessToken(
  realm: Realm,
  grant: Grant,
  behavior: Behavior,
  options: { readonly refreshToken?: RefreshToken; readonly scopes?: readonly string[] },
): AccessToken {
  const now = realm.now()
  const token: AccessToken = {
    value: realm.mint('accessToken'),
    grant,
    scopes: options.scopes ?? grant.scopes,
    issuedAt: now,
    refreshToken: options.refreshToken,
    expiresAt: behavior.accessTokenLifetimeMs === null ? undefined : now + behavior.accessTokenLifetimeMs,
    uses: 0,
  }
  realm.state.addAccessToken(token)
  return token
}

export function issueRefreshToken(realm: Realm, grant: Grant, behavior: Behavior): RefreshToken {
  const now = realm.now()
  const token: RefreshToken = {
    value: (behavior.sharesRefreshToken && sharedValue(realm, grant)) || realm.mint('refreshToken'),
    grant,
    issuedAt: now,
    expiresAt: refreshTokenEnd(behavior, grant.createdAt, now),
    successors: [],
    uses: 0,
    touched: false,
  }
  realm.state.addRefreshToken(token)
  return token
}

/** The refresh token that works for this account and client already; one of the PKCE kind is never shared. */
function sharedValue(realm: Realm, { clientId, account }: Grant): string | undefined {
  return grantsBetween(realm, clientId, account.id)
    .filter(({ challenge }) => challenge === undefined)
    .flatMap(({ refreshTokens }) => refreshTokens)
    .findLast(token => token.spentAt === undefined && isLive(token, realm.now()))?.value
}

/** Ends every access token that the grant has so far. */
export function revokeAccessTokens(grant: Grant, now: number): void {
  for (const token of grant.accessTokens) revokeToken(token, now)
}
