import type { Answer, Endpoint } from '../dialect.ts'
import type { Realm } from '../realm.ts'
import { bearerToken, type DialectRequest } from '../request.ts'
import { useAccessToken } from '../revoke.ts'
import type { AccessToken } from '../state.ts'

/** What an access token of the `oauth2` dialect opens. */
export const apiEndpoints: readonly Endpoint[] = [
  {
    method: 'GET',
    path: '/userinfo',
    operation: () => 'verify',
    answer: guarded(({ grant }) => ({ sub: grant.account.id, name: grant.account.name })),
  },
  {
    method: 'GET',
    path: '/api/me',
    operation: () => 'api',
    answer: guarded(({ grant, scopes }) => ({
      id: grant.account.id,
      name: grant.account.name,
      client_id: grant.clientId,
      scopes,
    })),
  },
]

/** Lets living tokens through and answers all others as RFC 6750 section 3 says. */
function guarded(read: (token: AccessToken) => object) {
  return (realm: Realm, request: DialectRequest): Answer => {
    const value = bearerToken(request)
    const token = useAccessToken(realm, value)
    if (token !== undefined) return { status: 200, json: read(token) }
    // Without a token there is no error to name (RFC 6750 section 3.1).
    const error = value === undefined ? '' : ', error="invalid_token"'
    return {
      status: 401,
      headers: { 'www-authenticate': `Bearer realm="sandbox"${error}` },
      json: { error: 'invalid_token', error_description: 'the access token is unknown, revoked or expired' },
    }
  }
}
