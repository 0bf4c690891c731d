import type { Client } from '../clients.ts'
import type { Answer, Endpoint } from '../dialect.ts'
import { Refusal } from '../errors.ts'
import type { Realm } from '../realm.ts'
import { bearerToken, type DialectRequest, optional, required, requireEncoding } from '../request.ts'
import { revokeAccount, revokeByToken, useAccessToken } from '../revoke.ts'
import { revokeToken } from '../state.ts'
import { apiError, authenticationError, UNAUTHORIZED } from './square-errors.ts'
import { flag, isoTime } from './square-token.ts'

/** Ends all tokens that a seller gave the application, or one access token where that is asked. */
export const revoke: Endpoint = {
  method: 'POST',
  path: '/oauth2/revoke',
  operation: () => 'revoke',
  answer(realm, request) {
    requireEncoding(request, 'json')
    const client = authenticatedByHeader(realm, request)
    const value = optional(request.body, 'access_token')
    const merchantId = optional(request.body, 'merchant_id')
    const isAlone = flag(request.body, 'revoke_only_access_token')
    if ((value === undefined) === (merchantId === undefined) || (isAlone && value === undefined))
      throw new Refusal('invalid_request', 'send access_token or merchant_id, not both')
    if (merchantId !== undefined) revokeAccount(realm, client, merchantId)
    else if (isAlone) revokeAlone(realm, client, value ?? '')
    else if (realm.state.accessToken(value ?? '') === undefined) throw unknownToken()
    else revokeByToken(realm, client, value ?? '')
    return { status: 200, json: { success: true } }
  },
}

const status: Endpoint = {
  method: 'POST',
  path: '/oauth2/token/status',
  operation: () => 'verify',
  answer(realm, request) {
    const token = useAccessToken(realm, bearerToken(request))
    if (token === undefined) return UNAUTHORIZED
    const { grant, scopes, expiresAt } = token
    const json = {
      client_id: grant.clientId,
      expires_at: isoTime(expiresAt),
      merchant_id: grant.account.id,
      scopes,
    }
    return { status: 200, json }
  },
}

/** The protected example API. */
const merchant: Endpoint = {
  method: 'GET',
  path: '/v2/merchants/me',
  operation: () => 'api',
  answer(realm, request) {
    const value = bearerToken(request)
    const token = useAccessToken(realm, value)
    if (token === undefined) return refusedToken(realm, value)
    if (!token.scopes.includes('MERCHANT_PROFILE_READ')) return missingScope('MERCHANT_PROFILE_READ')
    const { id, name } = token.grant.account
    return { status: 200, json: { merchant: { id, business_name: name, status: 'ACTIVE' } } }
  },
}

/** What a seller's tokens are good for. */
export const apiEndpoints: readonly Endpoint[] = [status, merchant]

/** The scheme is literally `Client`. */
function authenticatedByHeader(realm: Realm, { headers, body }: DialectRequest): Client {
  const clientSecret = /^Client +(\S+)$/.exec(headers.authorization ?? '')?.[1]
  return realm.clients.authenticate({ clientId: required(body, 'client_id'), clientSecret })
}

function revokeAlone(realm: Realm, client: Client, value: string): void {
  const token = realm.state.accessToken(value)
  if (token?.grant.clientId !== client.clientId) throw unknownToken()
  revokeToken(token, realm.now())
}

/** Assumed: nothing says what a token gets that is unknown. */
function unknownToken(): Refusal {
  return new Refusal('invalid_grant', 'no such access token')
}

function refusedToken(realm: Realm, value = ''): Answer {
  const token = realm.state.accessToken(value)
  if (token === undefined) return UNAUTHORIZED
  return token.revokedAt === undefined
    ? authenticationError('ACCESS_TOKEN_EXPIRED', 'The access token has expired.')
    : authenticationError('ACCESS_TOKEN_REVOKED', 'The access token was revoked.')
}

function missingScope(scope: string): Answer {
  return apiError(
    403,
    'AUTHENTICATION_ERROR',
    'INSUFFICIENT_SCOPES',
    `The merchant has not given your application sufficient permissions to do that. The merchant must authorize your application for the following scopes: ${scope}`,
  )
}
