import type { Client } from './clients.ts'
import { Refusal } from './errors.ts'
import { grantsBetween } from './issue.ts'
import type { Realm } from './realm.ts'
import { type AccessToken, isLive, type RefreshToken, revokeGrant, revokeToken } from './state.ts'

/**
 * Revokes what a client gives back (RFC 7009 section 2.1). A token that is unknown or dead already is fine:
 * what the client wants is true then.
 *
 * @throws Refusal `unauthorized_client` for somebody else's token
 */
export function revokeByToken(realm: Realm, client: Client, value: string): void {
  const token = findToken(realm, value)
  if (token === undefined) return
  if (token.grant.clientId !== client.clientId) {
    throw new Refusal('unauthorized_client', 'the token was issued to another client')
  }
  const now = realm.now()
  const { revokes } = realm.behaviors.of(client.clientId)
  if (revokes === 'token') revokeToken(token, now)
  else if (revokes === 'grant') revokeGrant(token.grant, now)
  else revokeAccount(realm, client, token.grant.account.id)
}

/** A token by its value, whatever its kind and whether it lives. */
export function findToken(realm: Realm, value: string): AccessToken | RefreshToken | undefined {
  return realm.state.accessToken(value) ?? realm.state.refreshToken(value)
}

/** Ends everything that an account ever allowed the client. */
export function revokeAccount(realm: Realm, { clientId }: Client, accountId: string): void {
  for (const grant of grantsBetween(realm, clientId, accountId)) revokeGrant(grant, realm.now())
}

/**
 * Finds an access token that can still be used.
 *
 * @throws Refusal `invalid_grant` if it is unknown or dead
 */
export function requireLiveAccessToken(realm: Realm, value: string): AccessToken {
  const token = realm.state.accessToken(value)
  if (token !== undefined && isLive(token, realm.now())) return token
  throw new Refusal('invalid_grant', 'the access token is unknown, revoked or has expired')
}

/**
 * Finds the access token that an API call presents and counts its use, which also ends its predecessor's
 * window where that ends by first use.
 *
 * @returns undefined if the API has to answer 401
 */
export function useAccessToken(realm: Realm, value: string | undefined): AccessToken | undefined {
  const token = realm.state.accessToken(value ?? '')
  if (token === undefined || !isLive(token, realm.now())) return undefined
  token.uses += 1
  if (token.refreshToken !== undefined) token.refreshToken.touched = true
  return token
}
