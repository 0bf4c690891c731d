import { PLAIN_BEHAVIOR } from '../behavior.ts'
import type { Client } from '../clients.ts'
import type { Answer, Dialect, Endpoint, Operation } from '../dialect.ts'
import { Refusal } from '../errors.ts'
import { exchangeCode } from '../exchange.ts'
import type { Tokens } from '../issue.ts'
import type { Realm } from '../realm.ts'
import { refreshGrant } from '../refresh.ts'
import { type DialectRequest, optional, type Parameters, required, requireEncoding } from '../request.ts'
import { requireLiveAccessToken, revokeByToken } from '../revoke.ts'
import type { ScopeRules } from '../scopes.ts'
import { secondsLeft } from '../seconds.ts'
import { apiEndpoints } from './tiktok-business-api.ts'
import { CODES, failure, OAUTH_PATH, success } from './tiktok-business-envelope.ts'
import { SEPARATOR, tiktokAuthorize } from './tiktok-consent.ts'

// Sources: recorded answers of the account-holder flow (sns-sdks/python-tiktok), and clients that work:
// Chatwoot, Postiz, bububa/tiktok-business. TikTok's own pages of this flow are not public; what none of these
// says is marked as assumed.

const DAY_MS = 24 * 3_600_000
/** What those clients ask for. */
const SCOPES: ScopeRules = {
  known: [
    ...['user.info.basic', 'user.info.username', 'user.info.stats', 'user.info.profile'],
    ...['user.account.type', 'user.insights'],
    ...['message.list.read', 'message.list.send', 'message.list.manage'],
    ...['video.list', 'video.insights', 'video.publish', 'video.upload'],
    ...['comment.list', 'comment.list.manage', 'biz.spark.auth'],
  ],
  fallback: ['user.info.basic'],
}

const exchange: Endpoint = {
  method: 'POST',
  path: `${OAUTH_PATH}/token/`,
  operation: () => 'exchange',
  answer(realm, request) {
    const client = authenticated(realm, request)
    requireGrantType(request.body, 'authorization_code')
    const code = required(request.body, 'auth_code')
    const redirectUri = required(request.body, 'redirect_uri')
    return success(tokenData(exchangeCode(realm, { client, code, redirectUri })))
  },
}

const refresh: Endpoint = {
  method: 'POST',
  path: `${OAUTH_PATH}/refresh_token/`,
  operation: () => 'refresh',
  answer(realm, request) {
    const client = authenticated(realm, request)
    requireGrantType(request.body, 'refresh_token')
    const refreshToken = required(request.body, 'refresh_token')
    return success(tokenData(refreshGrant(realm, { client, refreshToken })))
  },
}

const revoke: Endpoint = {
  method: 'POST',
  path: `${OAUTH_PATH}/revoke/`,
  operation: () => 'revoke',
  answer(realm, request) {
    const client = authenticated(realm, request)
    const { value } = requireLiveAccessToken(realm, required(request.body, 'access_token'))
    revokeByToken(realm, client, value)
    return success({})
  },
}

/** TikTok for Business, account-holder flow, Business API v1.3. */
export const tiktokBusiness: Dialect = {
  id: 'tiktok-business',
  title: 'TikTok for Business (sandbox)',
  // Codes have characters that must be decoded exactly once.
  prefixes: { code: 'auth*0!', accessToken: 'act.', refreshToken: 'rft.' },
  behavior: {
    ...PLAIN_BEHAVIOR,
    accessTokenLifetimeMs: DAY_MS,
    // A refresh does not prolong it: recorded answers count down to the end of the first year.
    refreshTokenLifetimeMs: 365 * DAY_MS,
    refreshTokenExpiry: 'absolute',
    // Assumed: nobody says whether the old refresh token dies.
    replay: 'single_use',
    // Assumed: nobody says what beside the token a revocation ends.
    revokes: 'grant',
  },
  accounts: [
    { id: '-000AdaBusinessOpenId0001', name: 'ada_on_tiktok' },
    { id: '-000BenBusinessOpenId0002', name: 'ben_on_tiktok' },
  ],
  scopes: SCOPES,
  authorize: tiktokAuthorize(SCOPES),
  endpoints: [exchange, refresh, revoke, ...apiEndpoints],
  clientIdOf: ({ body }) => [body.client_id, body.app_id].find(id => typeof id === 'string'),
  refuse,
  trouble: status =>
    status === 429
      ? failure(CODES.rateLimited, 'App reaches the QPS limit.').json
      : failure(CODES.internal, 'System error.').json,
  tokenAnswer: { root: 'data', expires: 'expires_in', tokenType: 'token_type', scope: 'scope' },
}

function authenticated(realm: Realm, request: DialectRequest): Client {
  requireEncoding(request, 'json')
  const clientId = required(request.body, 'client_id')
  return realm.clients.authenticate({ clientId, clientSecret: optional(request.body, 'client_secret') })
}

function requireGrantType(body: Parameters, wanted: string): void {
  if (required(body, 'grant_type') === wanted) return
  throw new Refusal('unsupported_grant_type', `grant_type must be ${wanted} here`)
}

function tokenData({ grant, accessToken, refreshToken, now }: Tokens): object {
  return {
    access_token: accessToken.value,
    expires_in: secondsLeft(accessToken, now),
    open_id: grant.account.id,
    ...(refreshToken && {
      refresh_token: refreshToken.value,
      refresh_token_expires_in: secondsLeft(refreshToken, now),
    }),
    scope: accessToken.scopes.join(SEPARATOR),
    token_type: 'Bearer',
  }
}

function refuse(refusal: Refusal, operation: Operation): Answer {
  switch (refusal.code) {
    case 'invalid_client':
    case 'unauthorized_client':
      return failure(CODES.wrongSecret, 'The app ID or the secret is incorrect.')
    case 'invalid_grant':
      return operation === 'exchange'
        ? failure(CODES.wrongCode, 'Authorization code is expired')
        : failure(CODES.wrongToken, wrongTokenMessage(operation))
    default:
      return failure(CODES.badRequest, refusal.message)
  }
}

/** Assumed for refresh: neither the code nor the message of a dead refresh token is known. */
function wrongTokenMessage(operation: Operation): string {
  const kind = operation === 'refresh' ? 'Refresh' : 'Access'
  return `${kind} token is incorrect or has been revoked.`
}
