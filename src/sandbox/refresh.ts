import type { Behavior } from './behavior.ts'
import type { Client } from './clients.ts'
import { Refusal } from './errors.ts'
import { issueAccessToken, issueRefreshToken, revokeAccessTokens, type Tokens } from './issue.ts'
import type { Realm } from './realm.ts'
import { refreshTokenEnd, worth } from './rotation.ts'
import { type RefreshToken, revokeGrant, revokeToken } from './state.ts'

/** A refresh as a dialect has read it, from a client that is authenticated. */
export interface Refresh {
  readonly client: Client
  readonly refreshToken: string
  /** Narrower than the grant's; absent or empty = all of them. */
  readonly scopes?: readonly string[]
}

/**
 * Exchanges a refresh token for a new access token, and for its successor as `replay` says
 * (RFC 6749 section 6).
 *
 * @throws Refusal `invalid_grant`, or `invalid_scope`, which leaves the token unspent
 */
export function refreshGrant(realm: Realm, request: Refresh): Tokens {
  const { client } = request
  const token = realm.state.refreshToken(request.refreshToken)
  if (token === undefined || token.grant.clientId !== client.clientId) {
    throw new Refusal('invalid_grant', 'no such refresh token')
  }
  const now = realm.now()
  const behavior = realm.behaviorFor(token.grant)
  token.uses += 1
  requireUsable(token, behavior, now)
  const scopes = narrowed(token, request.scopes)

  const carried =
    behavior.replay === 'same' ? extended(token, behavior, now) : succeeded(realm, token, behavior)
  token.touched = true
  if (behavior.killsAccessToken) revokeAccessTokens(token.grant, now)
  const accessToken = issueAccessToken(realm, token.grant, behavior, { refreshToken: carried, scopes })
  const unchanged = carried === token && behavior.omitsUnchanged
  return { grant: token.grant, now, accessToken, refreshToken: unchanged ? undefined : carried }
}

function narrowed(token: RefreshToken, asked: readonly string[] = []): readonly string[] | undefined {
  if (asked.some(scope => !token.grant.scopes.includes(scope))) {
    throw new Refusal('invalid_scope', 'a scope exceeds what was granted')
  }
  return asked.length === 0 ? undefined : asked
}

function requireUsable(token: RefreshToken, behavior: Behavior, now: number): void {
  const verdict = worth(token, behavior, now)
  if (verdict === 'dead') throw new Refusal('invalid_grant', 'the refresh token is revoked or has expired')
  if (verdict !== 'spent') return
  if (behavior.replay !== 'single_use_family')
    throw new Refusal('invalid_grant', 'the refresh token was used before')
  revokeGrant(token.grant, now)
  throw new Refusal('invalid_grant', 'the refresh token was used before; every token of its grant is revoked')
}

function extended(token: RefreshToken, behavior: Behavior, now: number): RefreshToken {
  token.expiresAt = refreshTokenEnd(behavior, token.grant.createdAt, now)
  return token
}

/** The token that the answer carries instead of `token`: a new one, or on a replay perhaps the one before. */
function succeeded(realm: Realm, token: RefreshToken, behavior: Behavior): RefreshToken {
  const previous = token.successors.at(-1)
  if (previous !== undefined && behavior.windowSuccessor === 'same') return previous
  if (behavior.windowSuccessor === 'newest') {
    for (const successor of token.successors) revokeToken(successor, realm.now())
  }
  const successor = issueRefreshToken(realm, token.grant, behavior)
  token.successors.push(successor)
  token.spentAt ??= realm.now()
  return successor
}
