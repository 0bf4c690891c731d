import type { Client } from './clients.ts'
import { Refusal } from './errors.ts'
import { type Allowed, startGrant, type Tokens } from './issue.ts'
import { checkVerifier } from './pkce.ts'
import type { Realm } from './realm.ts'
import { type Code, revokeGrant } from './state.ts'

/** What a code remembers of the authorization request. */
export interface CodeRequest extends Allowed {
  readonly redirectUri?: string
}

/** Issues a code that can be exchanged once, soon, by the same client. */
export function issueCode(realm: Realm, request: CodeRequest): string {
  const { codeLifetimeMs } = realm.behaviors.of(request.clientId)
  const value = realm.mint('code')
  realm.state.codes.set(value, { ...request, value, expiresAt: realm.now() + codeLifetimeMs })
  return value
}

/** An exchange as a dialect has read it, from a client that is authenticated. */
export interface Exchange {
  readonly client: Client
  readonly code: string
  readonly redirectUri?: string
  readonly verifier?: string
}

/**
 * Exchanges a code for tokens (RFC 6749 section 4.1.3). A second use of a code ends all that the first one
 * yielded, because one of the two was a thief (section 4.1.2).
 *
 * @throws Refusal `invalid_grant`
 */
export function exchangeCode(realm: Realm, request: Exchange): Tokens {
  const code = realm.state.codes.get(request.code)
  if (code === undefined || code.clientId !== request.client.clientId)
    throw new Refusal('invalid_grant', 'no such code')
  if (code.grant !== undefined) {
    revokeGrant(code.grant, realm.now())
    throw new Refusal('invalid_grant', 'the code was used before; what it yielded is revoked')
  }
  checkExchange(code, request, realm.now())
  const tokens = startGrant(realm, 'authorization_code', code)
  code.grant = tokens.grant
  return tokens
}

function checkExchange(code: Code, { redirectUri, verifier }: Exchange, now: number): void {
  if (now >= code.expiresAt) throw new Refusal('invalid_grant', 'the code has expired')
  if (redirectUri !== code.redirectUri) {
    throw new Refusal('invalid_grant', 'redirect_uri differs from that of the authorization request')
  }
  checkVerifier(code.challenge, verifier)
}

/**
 * Issues an access token to a client for itself (RFC 6749 section 4.4); there is no refresh token.
 *
 * @param allowed.account whom the dialect holds such a token to belong to
 * @throws Refusal `unauthorized_client` for a public client
 */
export function grantToClient(realm: Realm, client: Client, allowed: Omit<Allowed, 'clientId'>): Tokens {
  if (client.clientSecret === null) {
    throw new Refusal('unauthorized_client', 'a public client cannot act for itself')
  }
  return startGrant(realm, 'client_credentials', { ...allowed, clientId: client.clientId })
}
