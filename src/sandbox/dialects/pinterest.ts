import { PLAIN_BEHAVIOR } from '../behavior.ts'
import type { Client, Credentials } from '../clients.ts'
import type { Answer, Dialect, Endpoint, Operation } from '../dialect.ts'
import { Refusal } from '../errors.ts'
import { exchangeCode, grantToClient } from '../exchange.ts'
import type { Tokens } from '../issue.ts'
import type { Realm } from '../realm.ts'
import { refreshGrant } from '../refresh.ts'
import {
  basicCredentials,
  bearerToken,
  type DialectRequest,
  optional,
  type Parameters,
  required,
  requireEncoding,
  scopes,
} from '../request.ts'
import { findToken, revokeByToken, useAccessToken } from '../revoke.ts'
import { resolveScopes, type ScopeRules } from '../scopes.ts'
import { secondsLeft } from '../seconds.ts'
import { revokeToken } from '../state.ts'

// Sources: Pinterest's OpenAPI description 5.23.0, its api-quickstart and the issues of its SDKs. What none of
// them says is marked as assumed.

const DAY_MS = 24 * 3_600_000
/** Commas in the official code, spaces in the documentation: both are read, commas are written. */
const SEPARATOR = /[ ,]+/
const SCOPES: ScopeRules = { known: knownScopes(), fallback: ['user_accounts:read'] }

/** The one account whose tokens Pinterest revokes. */
const SYSTEM_USER = { id: '1099511627776000001', name: 'acme_system_user' }

const AUTHENTICATION_FAILED = { code: 2, message: 'Authentication failed.', status: 'failure' }
const NOT_PERMITTED = { code: 29, message: 'You are not permitted to access that resource.' }

const token: Endpoint = {
  method: 'POST',
  path: '/v5/oauth/token',
  operation: ({ body }) => (body.grant_type === 'authorization_code' ? 'exchange' : 'refresh'),
  answer(realm, request) {
    requireEncoding(request, 'form')
    const client = realm.clients.authenticate(readCredentials(request))
    const grantType = required(request.body, 'grant_type')
    return { status: 200, json: tokenBody(grantType, granted(realm, grantType, client, request.body)) }
  },
}

const revoke: Endpoint = {
  method: 'POST',
  path: '/v5/oauth/token/revoke',
  operation: () => 'revoke',
  answer(realm, request) {
    requireEncoding(request, 'form')
    const client = realm.clients.authenticate(readCredentials(request))
    const value = required(request.body, 'token')
    // "Only tokens issued for system users are currently supported."
    if (findToken(realm, value)?.grant.account.id !== SYSTEM_USER.id)
      return { status: 403, json: NOT_PERMITTED }
    revokeByToken(realm, client, value)
    return { status: 200 }
  },
}

const userAccount: Endpoint = {
  method: 'GET',
  path: '/v5/user_account',
  operation: () => 'verify',
  answer(realm, request) {
    const token = useAccessToken(realm, bearerToken(request))
    if (token === undefined) return { status: 401, json: AUTHENTICATION_FAILED }
    if (!token.scopes.includes('user_accounts:read')) {
      return { status: 401, json: { code: 3, message: 'Your token does not have sufficient permissions.' } }
    }
    const { id, name } = token.grant.account
    return { status: 200, json: { account_type: 'BUSINESS', id, username: name, business_name: null } }
  },
}

/** Pinterest API v5. */
export const pinterest: Dialect = {
  id: 'pinterest',
  title: 'Pinterest (sandbox)',
  prefixes: { code: '', accessToken: 'pina_', refreshToken: 'pinr.' },
  behavior: {
    ...PLAIN_BEHAVIOR,
    accessTokenLifetimeMs: 30 * DAY_MS,
    refreshTokenLifetimeMs: 60 * DAY_MS,
    // Assumed: nobody says whether the old refresh token dies at once.
    replay: 'single_use',
    cumulativeScopes: true,
  },
  accounts: [
    { id: '2783136121146311751', name: 'ada_pins' },
    { id: '2783136121146311752', name: 'ben_boards' },
    SYSTEM_USER,
  ],
  scopes: SCOPES,
  authorize: {
    path: '/oauth/',
    read: query => ({
      // The official quickstart still sends the older name.
      clientId: optional(query, 'client_id') ?? optional(query, 'consumer_id'),
      redirectUri: optional(query, 'redirect_uri'),
      responseType: optional(query, 'response_type'),
      scopes: scopes(query, 'scope', SEPARATOR),
      state: optional(query, 'state'),
    }),
    // Assumed for refusals: the documentation names only code and state.
    callback: (outcome, { state }) =>
      outcome.kind === 'allowed'
        ? { code: outcome.code, state }
        : { error: outcome.refusal.code, error_description: outcome.refusal.message, state },
  },
  endpoints: [token, revoke, userAccount],
  clientIdOf: request => basicCredentials(request)?.[0],
  refuse,
  trouble: status =>
    status === 429
      ? { code: 8, message: 'This request exceeded a rate limit.' }
      : // Assumed: no literal of a server error is known.
        { code: 50, message: 'An unexpected error occurred.' },
  tokenAnswer: { expires: 'expires_in', tokenType: 'token_type', scope: 'scope' },
}

function granted(realm: Realm, grantType: string, client: Client, body: Parameters): Tokens {
  switch (grantType) {
    case 'authorization_code':
      return exchanged(realm, client, body)
    case 'refresh_token':
      return refreshGrant(realm, {
        client,
        refreshToken: required(body, 'refresh_token'),
        scopes: scopes(body, 'scope', SEPARATOR),
      })
    case 'client_credentials':
      // Such a token is for the account of the app's owner.
      return grantToClient(realm, client, {
        account: realm.accounts.first(),
        scopes: resolveScopes(scopes(body, 'scope', SEPARATOR), SCOPES),
      })
    default:
      throw new Refusal('unsupported_grant_type', 'grant_type is not supported')
  }
}

/**
 * Speaks to every client as to an app made before 2025-09-25: without `continuous_refresh` it gets the legacy
 * refresh token, which says 365 days and is refused since 2025, so that forgetting the parameter is noticed.
 */
function exchanged(realm: Realm, client: Client, body: Parameters): Tokens {
  const tokens = exchangeCode(realm, {
    client,
    code: required(body, 'code'),
    redirectUri: required(body, 'redirect_uri'),
  })
  if (tokens.refreshToken === undefined || optional(body, 'continuous_refresh') === 'true') return tokens
  tokens.refreshToken.expiresAt = tokens.now + 365 * DAY_MS
  revokeToken(tokens.refreshToken, tokens.now)
  return tokens
}

function tokenBody(grantType: string, { accessToken, refreshToken, now }: Tokens): object {
  return {
    response_type: grantType,
    access_token: accessToken.value,
    token_type: 'bearer',
    expires_in: secondsLeft(accessToken, now),
    scope: accessToken.scopes.join(','),
    ...(refreshToken && {
      refresh_token: refreshToken.value,
      refresh_token_expires_in: secondsLeft(refreshToken, now),
      refresh_token_expires_at: refreshToken.expiresAt && Math.floor(refreshToken.expiresAt / 1000),
    }),
  }
}

/** Basic and nothing else. */
function readCredentials(request: DialectRequest): Credentials {
  const [clientId, clientSecret] = basicCredentials(request) ?? []
  return { clientId, clientSecret: clientSecret || undefined }
}

function refuse(refusal: Refusal, _operation: Operation): Answer {
  switch (refusal.code) {
    case 'invalid_client':
    case 'unauthorized_client':
      return { status: 401, json: AUTHENTICATION_FAILED }
    case 'invalid_grant':
      return { status: 401, json: { code: 283, message: 'The authorization grant is invalid' } }
    default:
      return { status: 400, json: { code: 1, message: `Invalid request: ${refusal.message}` } }
  }
}

/** The complete list of the API description 5.23.0. */
function knownScopes(): string[] {
  const readAndWrite = ['ads', 'billing', 'biz_access', 'boards', 'catalogs', 'msot', 'pins', 'user_accounts']
  const secret = ['boards', 'pins'].flatMap(thing => [`${thing}:read_secret`, `${thing}:write_secret`])
  return [...readAndWrite.flatMap(thing => [`${thing}:read`, `${thing}:write`]), ...secret]
}
