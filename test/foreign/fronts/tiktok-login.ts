import { type Answer, bearerOf, type Dialect, holdsExactly, type Incoming } from '../dialect.ts'
import type { Client, Outcome, Upstream } from '../upstream.ts'
import { AUTHORIZE_PATH, callback, codeOf, readAuthorization } from './tiktok-consent.ts'

const REFRESH_TOKEN_DAYS = 180
const LOG_ID = '202206221854370101130062072500FFA2'
const INVALID_REQUEST = refusal('invalid_request', 'The request parameters are malformed.')

/** TikTok Login Kit: forms, `client_key`, errors of RFC 6749 under 200, as several clients saw them. */
export const tiktokLoginDialect: Dialect = {
  definition: 'tiktok-login',
  rotates: true,
  refreshTokenDays: REFRESH_TOKEN_DAYS,
  revokes: true,
  tellsWrongSecret: true,
  needsEveryScope: false,
  scopes: { identity: 'user.info.basic', other: 'video.list' },
  authorizePath: AUTHORIZE_PATH,
  readAuthorization,
  callback,
  codeOf,
  apiCall: { method: 'GET', path: '/v2/user/info/?fields=open_id' },
  routes: upstream => ({
    'POST /v2/oauth/token/': incoming => token(upstream, incoming),
    async 'POST /v2/oauth/revoke/'({ encoding, body }) {
      const isWellFormed = holdsExactly(body, 'client_key', 'client_secret', 'token')
      if (encoding !== 'form' || !isWellFormed) return INVALID_REQUEST
      const outcome = await upstream.revokeGrant(clientOf(body), String(body.token))
      if (outcome === 'revoked') return { status: 200, body: {} }
      return refusal(outcome === 'dead' ? 'invalid_grant' : outcome, 'Not revoked.')
    },
    async 'GET /v2/user/info/'({ headers, query }) {
      const tokens = await upstream.inspect(bearerOf(headers))
      if (tokens === undefined) return userInfo(401, 'access_token_invalid', {})
      if (query.get('fields') !== 'open_id') return userInfo(400, 'invalid_params', {})
      return userInfo(200, 'ok', { user: { open_id: tokens.account } })
    },
  }),
}

async function token(upstream: Upstream, { encoding, body }: Incoming): Promise<Answer> {
  if (encoding !== 'form') return INVALID_REQUEST
  const { grant_type: grantType, code, redirect_uri: redirectUri, refresh_token: refreshToken } = body
  const wanted = grantType === 'authorization_code' ? ['code', 'redirect_uri'] : ['refresh_token']
  if (!holdsExactly(body, 'client_key', 'client_secret', 'grant_type', ...wanted)) return INVALID_REQUEST
  if (grantType === 'authorization_code') {
    return answerOf(await upstream.exchange(clientOf(body), codeOf(code), String(redirectUri)))
  }
  if (grantType !== 'refresh_token') return INVALID_REQUEST
  return answerOf(await upstream.refresh(clientOf(body), String(refreshToken)))
}

function clientOf({ client_key, client_secret }: Incoming['body']): Client {
  return { id: String(client_key), secret: String(client_secret) }
}

function answerOf(outcome: Outcome): Answer {
  if ('refused' in outcome) return refusal(outcome.refused, 'Refused.')
  const { accessToken, refreshToken, expiresIn, scopes, account } = outcome.tokens
  return {
    status: 200,
    body: {
      access_token: accessToken,
      expires_in: expiresIn,
      open_id: account,
      refresh_expires_in: REFRESH_TOKEN_DAYS * 86_400,
      refresh_token: refreshToken,
      scope: scopes.join(','),
      token_type: 'Bearer',
    },
  }
}

function refusal(error: string, description: string): Answer {
  return { status: 200, body: { error, error_description: description, log_id: LOG_ID } }
}

function userInfo(status: number, code: string, data: object): Answer {
  return { status, body: { data, error: { code, message: '', log_id: LOG_ID } } }
}
