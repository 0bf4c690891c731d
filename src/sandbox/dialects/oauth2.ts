import { PLAIN_BEHAVIOR } from '../behavior.ts'
import type { Credentials } from '../clients.ts'
import type { Answer, Dialect, Endpoint, Operation } from '../dialect.ts'
import { Refusal } from '../errors.ts'
import { exchangeCode, grantToClient } from '../exchange.ts'
import type { Tokens } from '../issue.ts'
import type { Realm } from '../realm.ts'
import { refreshGrant } from '../refresh.ts'
import {
  basicCredentials,
  type DialectRequest,
  optional,
  required,
  requireEncoding,
  scopes,
} from '../request.ts'
import { revokeByToken } from '../revoke.ts'
import { resolveScopes, type ScopeRules } from '../scopes.ts'
import { secondsLeft } from '../seconds.ts'
import { apiEndpoints } from './oauth2-api.ts'
import { metadataEndpoints } from './oauth2-metadata.ts'

/** Scopes are separated by single spaces (RFC 6749 section 3.3). */
const SEPARATOR = / +/
const SCOPES: ScopeRules = { fallback: ['profile'] }

/** What every answer with a token carries (RFC 6749 section 5.1). */
const NO_STORE = { 'cache-control': 'no-store', pragma: 'no-cache' }

const token: Endpoint = {
  method: 'POST',
  path: '/token',
  operation: ({ body }) => (body.grant_type === 'authorization_code' ? 'exchange' : 'refresh'),
  answer(realm, request) {
    requireEncoding(request, 'form')
    return { status: 200, headers: NO_STORE, json: tokenBody(granted(realm, request)) }
  },
}

const revoke: Endpoint = {
  method: 'POST',
  path: '/revoke',
  operation: () => 'revoke',
  answer(realm, request) {
    requireEncoding(request, 'form')
    const client = realm.clients.authenticate(readCredentials(request))
    revokeByToken(realm, client, required(request.body, 'token'))
    return { status: 200 }
  },
}

/** A plain RFC 6749, 7636, 7009, 8414 and 9207 server. */
export const oauth2: Dialect = {
  id: 'oauth2',
  title: 'Example OAuth 2.0 server',
  prefixes: { code: 'code-', accessToken: 'at-', refreshToken: 'rt-' },
  behavior: PLAIN_BEHAVIOR,
  accounts: [
    { id: 'user-1001', name: 'Ada Example' },
    { id: 'user-1002', name: 'Ben Example' },
    { id: 'user-1003', name: 'Café Zoë Ltd' },
  ],
  scopes: SCOPES,
  authorize: {
    path: '/authorize',
    read: query => ({
      clientId: optional(query, 'client_id'),
      redirectUri: optional(query, 'redirect_uri'),
      responseType: optional(query, 'response_type'),
      scopes: scopes(query, 'scope', SEPARATOR),
      state: optional(query, 'state'),
      challenge: optional(query, 'code_challenge'),
      challengeMethod: optional(query, 'code_challenge_method'),
    }),
    callback: (outcome, { state, issuer }) =>
      outcome.kind === 'allowed'
        ? { code: outcome.code, state, iss: issuer }
        : { error: outcome.refusal.code, error_description: outcome.refusal.message, state, iss: issuer },
  },
  endpoints: [token, revoke, ...apiEndpoints, ...metadataEndpoints],
  clientIdOf: request => basicClient(request)?.clientId ?? textOf(request.body.client_id),
  refuse,
  trouble: status => ({ error: status === 429 ? 'slow_down' : 'temporarily_unavailable' }),
  tokenAnswer: { expires: 'expires_in', tokenType: 'token_type', scope: 'scope' },
}

function granted(realm: Realm, request: DialectRequest): Tokens {
  const { body } = request
  const client = realm.clients.authenticate(readCredentials(request))
  switch (required(body, 'grant_type')) {
    case 'authorization_code':
      return exchangeCode(realm, {
        client,
        code: required(body, 'code'),
        redirectUri: optional(body, 'redirect_uri'),
        verifier: optional(body, 'code_verifier'),
      })
    case 'refresh_token':
      return refreshGrant(realm, {
        client,
        refreshToken: required(body, 'refresh_token'),
        scopes: scopes(body, 'scope', SEPARATOR),
      })
    case 'client_credentials':
      return grantToClient(realm, client, {
        account: { id: client.clientId, name: client.clientId },
        scopes: resolveScopes(scopes(body, 'scope', SEPARATOR), SCOPES),
      })
    default:
      throw new Refusal(
        'unsupported_grant_type',
        'use authorization_code, refresh_token or client_credentials',
      )
  }
}

function tokenBody({ accessToken, refreshToken, now }: Tokens): object {
  return {
    access_token: accessToken.value,
    token_type: 'Bearer',
    expires_in: secondsLeft(accessToken, now),
    refresh_token: refreshToken?.value,
    scope: accessToken.scopes.join(' '),
  }
}

/** Basic or body, not both (RFC 6749 section 2.3). */
function readCredentials(request: DialectRequest): Credentials {
  const basic = basicClient(request)
  const clientSecret = optional(request.body, 'client_secret')
  if (basic !== undefined && clientSecret !== undefined) {
    throw new Refusal('invalid_request', 'the client authenticates twice')
  }
  return basic ?? { clientId: optional(request.body, 'client_id'), clientSecret }
}

/** Both halves are form-encoded before they are joined (RFC 6749 section 2.3.1). */
function basicClient(request: DialectRequest): Credentials | undefined {
  const [clientId, clientSecret] = basicCredentials(request)?.map(formDecoded) ?? []
  return clientId === undefined ? undefined : { clientId, clientSecret: clientSecret || undefined }
}

function formDecoded(text: string): string {
  try {
    return decodeURIComponent(text.replaceAll('+', ' '))
  } catch {
    return text
  }
}

function textOf(value: unknown): string | undefined {
  return typeof value === 'string' ? value : undefined
}

/** RFC 6749 section 5.2. */
function refuse(refusal: Refusal, _operation: Operation, request: DialectRequest): Answer {
  const json = { error: refusal.code, error_description: refusal.message }
  if (refusal.code !== 'invalid_client') return { status: 400, headers: NO_STORE, json }
  const challenged = request.headers.authorization !== undefined && {
    'www-authenticate': 'Basic realm="sandbox", error="invalid_client"',
  }
  return { status: 401, headers: { ...NO_STORE, ...challenged }, json }
}
