import { type Answer, bearerOf, type Dialect, holdsExactly, type Incoming, type Return } from '../dialect.ts'
import type { Client, Outcome, Upstream } from '../upstream.ts'

/** Not the 60 of the documentation, so that what an answer states is told from what a definition assumes. */
const REFRESH_TOKEN_DAYS = 59
const GRANT_INVALID = refusal(401, 283, 'The authorization grant is invalid')
const NOT_AUTHENTICATED = refusal(401, 2, 'Authentication failed.')
const INVALID_REQUEST = refusal(400, 1, 'Invalid request')
/** "Only tokens issued for system users are currently supported", which no consent issues. */
const NOT_PERMITTED = refusal(403, 29, 'You are not permitted to access that resource.')

/** Pinterest API v5: Basic, forms, errors by number. */
export const pinterestDialect: Dialect = {
  definition: 'pinterest',
  rotates: true,
  refreshTokenDays: REFRESH_TOKEN_DAYS,
  revokes: false,
  tellsWrongSecret: true,
  needsEveryScope: false,
  scopes: { identity: 'user_accounts:read', other: 'ads:read' },
  authorizePath: '/oauth/',
  readAuthorization(query) {
    const { client_id, redirect_uri, scope, state, response_type } = Object.fromEntries(query)
    if (!holdsExactly(query, 'client_id', 'redirect_uri', 'response_type', 'scope', 'state')) return undefined
    if (response_type !== 'code') return undefined
    return {
      clientId: client_id ?? '',
      redirectUri: redirect_uri ?? '',
      scopes: (scope ?? '').split(','),
      state: state ?? '',
    }
  },
  callback(decision): Return {
    if ('code' in decision) return { query: { code: decision.code } }
    return { query: { error: decision.error, error_description: decision.description } }
  },
  codeOf: String,
  apiCall: { method: 'GET', path: '/v5/user_account' },
  routes: upstream => ({
    'POST /v5/oauth/token': incoming => token(upstream, incoming),
    async 'POST /v5/oauth/token/revoke'({ encoding, headers, body }) {
      if (encoding !== 'form' || !holdsExactly(body, 'token', 'token_type_hint')) return INVALID_REQUEST
      return clientOf(headers.authorization) === undefined ? NOT_AUTHENTICATED : NOT_PERMITTED
    },
    async 'GET /v5/user_account'({ headers }) {
      const tokens = await upstream.inspect(bearerOf(headers))
      if (tokens === undefined) return NOT_AUTHENTICATED
      const body = { account_type: 'BUSINESS', id: tokens.account, username: 'ada', business_name: null }
      return { status: 200, body }
    },
  }),
}

async function token(upstream: Upstream, { encoding, headers, body }: Incoming): Promise<Answer> {
  const client = clientOf(headers.authorization)
  if (client === undefined) return NOT_AUTHENTICATED
  if (encoding !== 'form') return INVALID_REQUEST
  const { grant_type: grantType, code, redirect_uri: redirectUri, refresh_token: refreshToken } = body
  if (grantType === 'authorization_code') {
    // Apps that were registered before 2025-09-25 get the kind of refresh token that is dead otherwise.
    if (!holdsExactly(body, 'grant_type', 'code', 'redirect_uri', 'continuous_refresh'))
      return INVALID_REQUEST
    return answerOf(grantType, await upstream.exchange(client, String(code), String(redirectUri)))
  }
  if (grantType !== 'refresh_token' || !holdsExactly(body, 'grant_type', 'refresh_token'))
    return INVALID_REQUEST
  return answerOf(grantType, await upstream.refresh(client, String(refreshToken)))
}

function answerOf(grantType: string, outcome: Outcome): Answer {
  if ('refused' in outcome) {
    return (
      { invalid_grant: GRANT_INVALID, invalid_client: NOT_AUTHENTICATED }[outcome.refused] ?? INVALID_REQUEST
    )
  }
  const { accessToken, refreshToken, expiresIn, scopes } = outcome.tokens
  const refreshSeconds = REFRESH_TOKEN_DAYS * 86_400
  return {
    status: 200,
    body: {
      response_type: grantType,
      access_token: accessToken,
      refresh_token: refreshToken,
      token_type: 'bearer',
      expires_in: expiresIn,
      refresh_token_expires_in: refreshSeconds,
      refresh_token_expires_at: Math.floor(Date.now() / 1000) + refreshSeconds,
      // "All of the scopes that have been approved now or in the past by the user".
      scope: [...scopes, 'boards:read'].join(','),
    },
  }
}

function clientOf(authorization = ''): Client | undefined {
  const [, encoded] = /^Basic (\S+)$/.exec(authorization) ?? []
  const [id, secret] = atob(encoded ?? '').split(':')
  return id && secret ? { id: decodeURIComponent(id), secret: decodeURIComponent(secret) } : undefined
}

function refusal(status: number, code: number, message: string): Answer {
  return { status, body: { code, message, status: 'failure' } }
}
