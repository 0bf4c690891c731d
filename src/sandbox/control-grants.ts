import { DEFAULT_CLIENT } from './clients.ts'
import type { Dialect } from './dialect.ts'
import { Refusal, SandboxError } from './errors.ts'
import { startGrant } from './issue.ts'
import type { Realm } from './realm.ts'
import { resolveScopes } from './scopes.ts'
import type { Site } from './site.ts'
import { type AccessToken, type Grant, isLive, type RefreshToken, revokeGrant } from './state.ts'
import { type GrantFilter, matchesGrant, type TokenView } from './views.ts'

/** A consent that happens without a browser. */
export interface GrantRequest {
  readonly dialect: string
  /** Default: the client that is registered from the start. */
  readonly clientId?: string
  /** Default: the dialect's first account. */
  readonly accountId?: string
  /** Default: what the dialect gives to a request without scopes. */
  readonly scopes?: readonly string[]
}

/** The tokens that it yields. */
export interface GrantedTokens {
  readonly grantId: string
  readonly accessToken: string
  /** null if the behaviour issues none. */
  readonly refreshToken: string | null
  /** Milliseconds since the epoch; null = never. */
  readonly expiresAt: number | null
  readonly refreshExpiresAt: number | null
}

/**
 * Lets an account allow a client something without a browser.
 *
 * @throws SandboxError `not_found`, or `invalid` for a scope that the dialect does not know
 */
export function createGrant(
  { dialect, realm }: Site,
  { clientId, accountId, scopes = [] }: GrantRequest,
): GrantedTokens {
  const client = realm.clients.need(clientId ?? DEFAULT_CLIENT.clientId)
  const account = accountId === undefined ? realm.accounts.first() : realm.accounts.need(accountId)
  const allowed = { clientId: client.clientId, account, scopes: scopesOrError(dialect, scopes) }
  const { grant, accessToken, refreshToken } = startGrant(realm, 'authorization_code', allowed)
  return {
    grantId: grant.id,
    accessToken: accessToken.value,
    refreshToken: refreshToken?.value ?? null,
    expiresAt: accessToken.expiresAt ?? null,
    refreshExpiresAt: refreshToken?.expiresAt ?? null,
  }
}

function scopesOrError(dialect: Dialect, scopes: readonly string[]): readonly string[] {
  try {
    return resolveScopes(scopes, dialect.scopes)
  } catch (error) {
    if (error instanceof Refusal) throw new SandboxError('invalid', `scopes: ${error.message}`)
    throw error
  }
}

/** The grants that a filter means, oldest first, each with the server that it lives at. */
export function grantsOf(
  sites: ReadonlyMap<string, Site>,
  filter: GrantFilter,
): { realm: Realm; grant: Grant }[] {
  const meant = [...sites.values()].filter(
    ({ realm }) => filter.dialect === undefined || realm.id === filter.dialect,
  )
  return meant.flatMap(({ realm }) =>
    [...realm.state.grants.values()]
      .filter(grant => matchesGrant(grant, filter))
      .map(grant => ({ realm, grant })),
  )
}

type Token = AccessToken | RefreshToken

/** Ends every living token of a kind. Answers how many there were. */
export function endTokens(
  sites: ReadonlyMap<string, Site>,
  kind: TokenView['kind'],
  filter: GrantFilter,
  end: (token: Token, now: number) => void,
): number {
  let ended = 0
  for (const { realm, grant } of grantsOf(sites, filter)) {
    const now = realm.now()
    const tokens: Token[] = kind === 'access' ? grant.accessTokens : grant.refreshTokens
    for (const token of tokens.filter(candidate => isLive(candidate, now))) {
      end(token, now)
      ended += 1
    }
  }
  return ended
}

/** Revokes whole grants. Answers how many of them lived. */
export function revokeGrants(sites: ReadonlyMap<string, Site>, filter: GrantFilter): number {
  const living = grantsOf(sites, filter).filter(({ grant }) => grant.revokedAt === undefined)
  for (const { realm, grant } of living) revokeGrant(grant, realm.now())
  return living.length
}
