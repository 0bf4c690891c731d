import { type Answer, bearerOf, type Dialect, holdsExactly, type Incoming, type Return } from '../dialect.ts'
import type { Client, Outcome, Upstream } from '../upstream.ts'

/** The older of its two dialects of refusal: it does not tell a wrong secret from a dead grant. */
const NOT_AUTHORIZED = legacyRefusal('Not Authorized')
const CODE_NOT_FOUND = legacyRefusal('Authorization code not found for app [broker]')
const BAD_REQUEST = refusal(400, 'INVALID_REQUEST_ERROR', 'BAD_REQUEST')
const UNAUTHORIZED = refusal(401, 'AUTHENTICATION_ERROR', 'UNAUTHORIZED')

/** Square, the code flow: JSON, times instead of lifetimes, no scopes beside tokens, the same refresh token for ever. */
export const squareDialect: Dialect = {
  definition: 'square',
  rotates: false,
  revokes: true,
  tellsWrongSecret: false,
  needsEveryScope: false,
  scopes: { identity: 'MERCHANT_PROFILE_READ', other: 'PAYMENTS_READ' },
  authorizePath: '/oauth2/authorize',
  readAuthorization(query) {
    const { client_id, redirect_uri, scope, state, response_type, session } = Object.fromEntries(query)
    const names = ['client_id', 'redirect_uri', 'response_type', 'scope', 'session', 'state']
    // A challenge, which `names` lacks, would make this a grant of the other flow.
    if (!holdsExactly(query, ...names) || response_type !== 'code' || session !== 'false') return undefined
    return {
      clientId: client_id ?? '',
      redirectUri: redirect_uri ?? '',
      scopes: (scope ?? '').split(' '),
      state: state ?? '',
    }
  },
  callback(decision): Return {
    if ('code' in decision) return { query: { code: decision.code, response_type: 'code' }, fragment: '_=_' }
    return { query: { error: decision.error, error_description: 'user_denied' } }
  },
  codeOf: String,
  apiCall: { method: 'POST', path: '/oauth2/token/status' },
  routes: upstream => ({
    'POST /oauth2/token': incoming => token(upstream, incoming),
    async 'POST /oauth2/revoke'({ encoding, headers, body }) {
      const secret = /^Client (\S+)$/.exec(headers.authorization ?? '')?.[1]
      if (secret === undefined) return UNAUTHORIZED
      if (encoding !== 'json' || !holdsExactly(body, 'client_id', 'access_token')) return BAD_REQUEST
      const client = { id: String(body.client_id), secret }
      const outcome = await upstream.revokeGrant(client, String(body.access_token))
      return outcome === 'revoked' ? { status: 200, body: { success: true } } : UNAUTHORIZED
    },
    async 'POST /oauth2/token/status'({ headers }) {
      const tokens = await upstream.inspect(bearerOf(headers))
      if (tokens === undefined) return UNAUTHORIZED
      const { account, scopes } = tokens
      const body = { client_id: 'broker', merchant_id: account, scopes, expires_at: expiryOf(tokens) }
      return { status: 200, body }
    },
  }),
}

async function token(upstream: Upstream, { encoding, headers, body }: Incoming): Promise<Answer> {
  const { grant_type: grantType, code, redirect_uri: redirectUri, refresh_token: refreshToken } = body
  const wanted = grantType === 'authorization_code' ? ['code', 'redirect_uri'] : ['refresh_token']
  const isWellFormed = holdsExactly(body, 'client_id', 'client_secret', 'grant_type', ...wanted)
  const isExpected = encoding === 'json' && headers['square-version'] !== undefined
  if (!isExpected || !isWellFormed || headers.authorization !== undefined) return BAD_REQUEST
  const client: Client = { id: String(body.client_id), secret: String(body.client_secret) }
  if (grantType === 'refresh_token') {
    return answerOf(await upstream.refresh(client, String(refreshToken)), NOT_AUTHORIZED)
  }
  return answerOf(await upstream.exchange(client, String(code), String(redirectUri)), CODE_NOT_FOUND)
}

function answerOf(outcome: Outcome, grantInvalid: Answer): Answer {
  if ('refused' in outcome) {
    return { invalid_grant: grantInvalid, invalid_client: NOT_AUTHORIZED }[outcome.refused] ?? BAD_REQUEST
  }
  const { accessToken, refreshToken, account } = outcome.tokens
  return {
    status: 200,
    body: {
      access_token: accessToken,
      expires_at: expiryOf(outcome.tokens),
      merchant_id: account,
      refresh_token: refreshToken,
      short_lived: false,
      token_type: 'bearer',
    },
  }
}

/** Whole seconds, as Square states them. */
function expiryOf({
  issuedAt,
  expiresIn,
}: {
  readonly issuedAt: number
  readonly expiresIn: number
}): string {
  return new Date(issuedAt + expiresIn * 1000).toISOString().replace(/\.\d+Z$/, 'Z')
}

function legacyRefusal(message: string): Answer {
  return { status: 401, body: { message, type: 'service.not_authorized' } }
}

function refusal(status: number, category: string, code: string): Answer {
  return { status, body: { errors: [{ category, code, detail: 'This request could not be authorized.' }] } }
}
