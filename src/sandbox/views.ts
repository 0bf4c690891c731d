import type { Realm } from './realm.ts'
import { worth } from './rotation.ts'
import { type AccessToken, type Grant, isLive, type RefreshToken } from './state.ts'

/** A grant as the control API shows it. Times are milliseconds since the epoch. */
export interface GrantView {
  readonly id: string
  readonly dialect: string
  readonly kind: Grant['kind']
  readonly clientId: string
  readonly accountId: string
  readonly accountName: string
  readonly scopes: readonly string[]
  readonly createdAt: number
  /** null while it lives. */
  readonly revokedAt: number | null
}

/** A token as the control API shows it. It is a sandbox: values are shown in full. */
export interface TokenView {
  readonly kind: 'access' | 'refresh'
  readonly value: string
  readonly dialect: string
  readonly grantId: string
  readonly clientId: string
  readonly accountId: string
  readonly scopes: readonly string[]
  readonly issuedAt: number
  /** null = never. */
  readonly expiresAt: number | null
  readonly revokedAt: number | null
  /** When a refresh token was first exchanged for a successor; null = not yet. */
  readonly spentAt: number | null
  /** Whether the server would accept it now. */
  readonly live: boolean
  /** How often it was presented; of an access token, only while it was good. */
  readonly uses: number
}

/** Which grants and tokens are meant; what is absent does not matter. */
export interface GrantFilter {
  readonly dialect?: string
  readonly clientId?: string
  readonly accountId?: string
  readonly grantId?: string
}

export function matchesGrant({ id, clientId, account }: Grant, filter: GrantFilter): boolean {
  return (
    (filter.clientId === undefined || clientId === filter.clientId) &&
    (filter.accountId === undefined || account.id === filter.accountId) &&
    (filter.grantId === undefined || id === filter.grantId)
  )
}

export function viewGrant(realm: Realm, grant: Grant): GrantView {
  const { id, kind, clientId, account, scopes, createdAt, revokedAt } = grant
  return {
    id,
    dialect: realm.id,
    kind,
    clientId,
    accountId: account.id,
    accountName: account.name,
    scopes,
    createdAt,
    revokedAt: revokedAt ?? null,
  }
}

export function viewAccessToken(realm: Realm, token: AccessToken): TokenView {
  return {
    kind: 'access',
    ...common(realm, token),
    scopes: token.scopes,
    spentAt: null,
    live: isLive(token, realm.now()),
  }
}

export function viewRefreshToken(realm: Realm, token: RefreshToken): TokenView {
  const verdict = worth(token, realm.behaviors.of(token.grant.clientId), realm.now())
  return {
    kind: 'refresh',
    ...common(realm, token),
    scopes: token.grant.scopes,
    spentAt: token.spentAt ?? null,
    live: verdict === 'good' || verdict === 'replayed',
  }
}

function common(
  realm: Realm,
  { value, grant, issuedAt, expiresAt, revokedAt, uses }: AccessToken | RefreshToken,
) {
  return {
    value,
    dialect: realm.id,
    grantId: grant.id,
    clientId: grant.clientId,
    accountId: grant.account.id,
    issuedAt,
    expiresAt: expiresAt ?? null,
    revokedAt: revokedAt ?? null,
    uses,
  }
}
