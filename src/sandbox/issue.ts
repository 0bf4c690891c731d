import type { Account } from './accounts.ts'
import type { Behavior } from './behavior.ts'
import type { Realm } from './realm.ts'
import { refreshTokenEnd } from './rotation.ts'
import { type AccessToken, type Grant, type RefreshToken, revokeToken } from './state.ts'

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
}

/** Starts a grant and issues its first tokens. */
export function startGrant(realm: Realm, kind: Grant['kind'], allowed: Allowed): Tokens {
  const now = realm.now()
  const behavior = realm.behaviors.of(allowed.clientId)
  const grant: Grant = {
    id: realm.mint('grant'),
    kind,
    clientId: allowed.clientId,
    account: allowed.account,
    scopes: behavior.cumulativeScopes ? everAllowed(realm, allowed) : allowed.scopes,
    createdAt: now,
    accessTokens: [],
    refreshTokens: [],
  }
  realm.state.grants.set(grant.id, grant)
  const refreshes = kind === 'authorization_code' && behavior.issuesRefreshToken
  const refreshToken = refreshes ? issueRefreshToken(realm, grant, behavior) : undefined
  return { grant, now, refreshToken, accessToken: issueAccessToken(realm, grant, behavior, { refreshToken }) }
}

function everAllowed(realm: Realm, { clientId, account, scopes }: Allowed): string[] {
  const earlier = [...realm.state.grants.values()]
    .filter(grant => grant.clientId === clientId && grant.account.id === account.id)
    .flatMap(grant => grant.scopes)
  return [...new Set([...scopes, ...earlier])]
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
    value: realm.mint('refreshToken'),
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

/** Ends every access token that the grant has so far. */
export function revokeAccessTokens(grant: Grant, now: number): void {
  for (const token of grant.accessTokens) revokeToken(token, now)
}
