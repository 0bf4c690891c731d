import { type Answer, type Dialect, holdsExactly, type Incoming } from '../dialect.ts'
import type { Client, Outcome } from '../upstream.ts'
import { AUTHORIZE_PATH, callback, codeOf, readAuthorization } from './tiktok-consent.ts'

/** Of the year from consent on one day is gone, so that what is stated is told from what is assumed. */
const REFRESH_TOKEN_DAYS = 364
const BASE = '/open_api/v1.3'
const INVALID_PARAMETER = envelope(40002, 'Invalid parameter.')
const NO_PERMISSION = envelope(40001, 'No permission.')
const WRONG_APP = envelope(40101, 'The app id and secret do not match.')
const TOKEN_REVOKED = envelope(40105, 'Access token is incorrect or has been revoked.')
/** Which code a dead refresh token gets is not known; this one stands for any. */
const GRANT_REFUSED = envelope(40102, 'Refresh token is incorrect or has expired.')

/** TikTok for Business, `tt_user`: JSON both ways, one envelope around everything, 200 whatever happened. */
export const tiktokBusinessDialect: Dialect = {
  definition: 'tiktok-business',
  rotates: true,
  refreshTokenDays: REFRESH_TOKEN_DAYS,
  revokes: true,
  tellsWrongSecret: true,
  needsEveryScope: true,
  scopes: { identity: 'user.info.basic', other: 'video.list' },
  authorizePath: AUTHORIZE_PATH,
  readAuthorization: query => readAuthorization(query, 'disable_auto_auth'),
  callback,
  codeOf,
  apiCall: { method: 'GET', path: `${BASE}/business/get/?business_id={account}` },
  routes: upstream => ({
    async [`POST ${BASE}/tt_user/oauth2/token/`](incoming) {
      const { auth_code: code, redirect_uri: redirectUri } = incoming.body
      const client = clientOf(incoming, 'authorization_code', 'auth_code', 'redirect_uri')
      if (client === undefined) return INVALID_PARAMETER
      return answerOf(await upstream.exchange(client, codeOf(code), String(redirectUri)))
    },
    async [`POST ${BASE}/tt_user/oauth2/refresh_token/`](incoming) {
      const client = clientOf(incoming, 'refresh_token', 'refresh_token')
      if (client === undefined) return INVALID_PARAMETER
      return answerOf(await upstream.refresh(client, String(incoming.body.refresh_token)))
    },
    async [`POST ${BASE}/tt_user/oauth2/revoke/`]({ encoding, body }) {
      const isWellFormed = holdsExactly(body, 'client_id', 'client_secret', 'access_token')
      if (encoding !== 'json' || !isWellFormed) return INVALID_PARAMETER
      const client = { id: String(body.client_id), secret: String(body.client_secret) }
      const outcome = await upstream.revokeGrant(client, String(body.access_token))
      return { revoked: envelope(0, 'OK'), dead: TOKEN_REVOKED, invalid_client: WRONG_APP }[outcome]
    },
    async [`POST ${BASE}/tt_user/token_info/get/`]({ encoding, body }) {
      if (encoding !== 'json' || !holdsExactly(body, 'app_id', 'access_token')) return INVALID_PARAMETER
      const tokens = await upstream.inspect(String(body.access_token))
      if (tokens === undefined) return TOKEN_REVOKED
      const { account, scopes } = tokens
      return envelope(0, 'OK', { app_id: body.app_id, creator_id: account, scope: scopes.join(',') })
    },
    async [`GET ${BASE}/business/get/`]({ headers, query }) {
      const tokens = await upstream.inspect(String(headers['access-token']))
      if (tokens === undefined) return TOKEN_REVOKED
      return query.get('business_id') === tokens.account
        ? envelope(0, 'OK', { username: 'ada' })
        : NO_PERMISSION
    },
  }),
}

/** Who asks, if the request holds what this grant type takes and nothing else. */
function clientOf(
  { encoding, body }: Incoming,
  grantType: string,
  ...names: readonly string[]
): Client | undefined {
  if (encoding !== 'json' || body.grant_type !== grantType) return undefined
  if (!holdsExactly(body, 'client_id', 'client_secret', 'grant_type', ...names)) return undefined
  return { id: String(body.client_id), secret: String(body.client_secret) }
}

function answerOf(outcome: Outcome): Answer {
  if ('refused' in outcome) {
    return { invalid_grant: GRANT_REFUSED, invalid_client: WRONG_APP }[outcome.refused] ?? INVALID_PARAMETER
  }
  const { accessToken, refreshToken, expiresIn, scopes, account } = outcome.tokens
  return envelope(0, 'OK', {
    access_token: accessToken,
    expires_in: expiresIn,
    open_id: account,
    refresh_token: refreshToken,
    refresh_token_expires_in: REFRESH_TOKEN_DAYS * 86_400,
    scope: scopes.join(','),
    token_type: 'Bearer',
  })
}

function envelope(code: number, message: string, data: object = {}): Answer {
  return { status: 200, body: { code, message, request_id: '202403040357439E497F7E6668D60F2700', data } }
}
