import { PLAIN_BEHAVIOR } from '../behavior.ts'
import type { Client } from '../clients.ts'
import type { Answer, AuthorizeRequest, Dialect, Endpoint } from '../dialect.ts'
import { Refusal, type RefusalCode } from '../errors.ts'
import { exchangeCode } from '../exchange.ts'
import type { Tokens } from '../issue.ts'
import type { Realm } from '../realm.ts'
import { refreshGrant } from '../refresh.ts'
import { type DialectRequest, optional, required, requireEncoding } from '../request.ts'
import { requireLiveAccessToken, revokeByToken } from '../revoke.ts'
import type { ScopeRules } from '../scopes.ts'
import { secondsLeft } from '../seconds.ts'
import { SEPARATOR, tiktokAuthorize } from './tiktok-consent.ts'
import { LOG_ID, userInfo } from './tiktok-login-user.ts'

// Sources: developers.tiktok.com, the pages on user access tokens of November 2026, those on errors, and Login
// Kit for Web. What none of them says is marked as assumed.

const HOUR_MS = 3_600_000
/** "Less than 512 characters." */
const REDIRECT_URI_LENGTH_MAX = 511
/** No complete list is at hand: `user.info.basic`, `video.list` and their like. */
const SCOPES: ScopeRules = { pattern: /^[a-z]+(\.[a-z]+)*$/, fallback: ['user.info.basic'] }

const MISMATCH = 'Redirect_uri is not matched with the uri when requesting code.'
/** Only that of `invalid_request` is TikTok's own. */
const DESCRIPTIONS: Partial<Record<RefusalCode, string>> = {
  invalid_request: 'The request parameters are malformed.',
  invalid_client: 'Client key or secret is incorrect.',
}

const token: Endpoint = {
  method: 'POST',
  path: '/v2/oauth/token/',
  operation: ({ body }) => (body.grant_type === 'authorization_code' ? 'exchange' : 'refresh'),
  answer(realm, request) {
    const client = authenticated(realm, request)
    switch (required(request.body, 'grant_type')) {
      case 'authorization_code':
        return exchanged(realm, client, request)
      case 'refresh_token': {
        const refreshToken = required(request.body, 'refresh_token')
        return { status: 200, json: tokenBody(refreshGrant(realm, { client, refreshToken })) }
      }
      default:
        throw new Refusal('unsupported_grant_type', 'grant_type is not supported')
    }
  },
}

const revoke: Endpoint = {
  method: 'POST',
  path: '/v2/oauth/revoke/',
  operation: () => 'revoke',
  answer(realm, request) {
    const client = authenticated(realm, request)
    const { value } = requireLiveAccessToken(realm, required(request.body, 'token'))
    revokeByToken(realm, client, value)
    return { status: 200, json: {} }
  },
}

/** TikTok Login Kit, as a web app meets it since November 2026. */
export const tiktokLogin: Dialect = {
  id: 'tiktok-login',
  title: 'TikTok (sandbox)',
  prefixes: { code: 'auth*0!', accessToken: 'act.', refreshToken: 'rft.' },
  behavior: {
    ...PLAIN_BEHAVIOR,
    accessTokenLifetimeMs: 2 * HOUR_MS,
    refreshTokenLifetimeMs: 180 * 24 * HOUR_MS,
    // Assumed: the page speaks of the remaining lifetime, not of a new one.
    refreshTokenExpiry: 'absolute',
    // "The previous refresh token stops working once a new one is issued."
    replay: 'single_use',
    // "Disconnects your app from the user's account."
    revokes: 'account',
  },
  accounts: [
    { id: 'afd97af1-b87b-48b9-ac98-410aa0da5344', name: 'Ada' },
    { id: 'afd97af1-b87b-48b9-ac98-410aa0da5345', name: 'Ben' },
  ],
  scopes: SCOPES,
  authorize: tiktokAuthorize(SCOPES, requireStaticRedirect),
  endpoints: [token, revoke, userInfo],
  clientIdOf: ({ body }) => (typeof body.client_key === 'string' ? body.client_key : undefined),
  refuse: ({ code, message }) => failure(code, DESCRIPTIONS[code] ?? message),
  // Assumed: the token endpoint words its troubles as the API does.
  trouble: status =>
    status === 429
      ? failure('rate_limit_exceeded', 'The API rate limit was exceeded.').json
      : failure('internal_error', 'Something went wrong.').json,
  tokenAnswer: { expires: 'expires_in', tokenType: 'token_type', scope: 'scope' },
}

/** That a web app's must be https is left out here: the sandbox's clients are on this machine. */
function requireStaticRedirect({ redirectUri = '' }: AuthorizeRequest): void {
  if (redirectUri.length <= REDIRECT_URI_LENGTH_MAX && !redirectUri.includes('?')) return
  throw new Refusal('invalid_request', 'redirect_uri must be below 512 characters and have no query')
}

function authenticated(realm: Realm, request: DialectRequest): Client {
  requireEncoding(request, 'form')
  const clientId = required(request.body, 'client_key')
  return realm.clients.authenticate({ clientId, clientSecret: optional(request.body, 'client_secret') })
}

function exchanged(realm: Realm, client: Client, { body }: DialectRequest): Answer {
  const code = required(body, 'code')
  const redirectUri = required(body, 'redirect_uri')
  const asked = realm.state.codes.get(code)
  if (asked !== undefined && asked.redirectUri !== redirectUri) return failure('invalid_request', MISMATCH)
  return { status: 200, json: tokenBody(exchangeCode(realm, { client, code, redirectUri })) }
}

function tokenBody({ grant, accessToken, refreshToken, now }: Tokens): object {
  return {
    access_token: accessToken.value,
    expires_in: secondsLeft(accessToken, now),
    open_id: grant.account.id,
    ...(refreshToken && {
      refresh_expires_in: secondsLeft(refreshToken, now),
      refresh_token: refreshToken.value,
    }),
    scope: accessToken.scopes.join(SEPARATOR),
    token_type: 'Bearer',
  }
}

/** Assumed: the status; some people report 200, for which there is the fault `error_in_200`. */
function failure(error: string, description: string): Answer {
  return { status: 400, json: { error, error_description: description, log_id: LOG_ID } }
}
