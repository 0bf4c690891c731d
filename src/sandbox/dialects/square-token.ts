import type { Client } from '../clients.ts'
import type { Endpoint } from '../dialect.ts'
import { Refusal } from '../errors.ts'
import { exchangeCode } from '../exchange.ts'
import { startGrant, type Tokens } from '../issue.ts'
import type { Realm } from '../realm.ts'
import { refreshGrant } from '../refresh.ts'
import { optional, type Parameters, required, requireEncoding } from '../request.ts'
import { requireLiveAccessToken } from '../revoke.ts'

/** How long an access token lives that was asked for with `short_lived`. */
const SHORT_LIFETIME_MS = 24 * 3_600_000

/** One endpoint for codes, refresh tokens and tokens of before 2019; all in JSON, without Authorization header. */
export const token: Endpoint = {
  method: 'POST',
  path: '/oauth2/token',
  // What is neither counts as a refresh: `migration_token` too.
  operation: ({ body }) => (body.grant_type === 'authorization_code' ? 'exchange' : 'refresh'),
  answer(realm, request) {
    requireEncoding(request, 'json')
    const { body } = request
    const clientId = required(body, 'client_id')
    const clientSecret = optional(body, 'client_secret')
    const client = realm.clients.authenticate({ clientId, clientSecret })
    const isShortLived = flag(body, 'short_lived')
    const tokens = granted(realm, client, body)
    if (isShortLived) shorten(tokens)
    return { status: 200, json: tokenBody(tokens, isShortLived) }
  },
}

function granted(realm: Realm, client: Client, body: Parameters): Tokens {
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
        scopes: list(body, 'scopes'),
      })
    case 'migration_token':
      return migrated(realm, client, required(body, 'migration_token'))
    default:
      throw new Refusal('unsupported_grant_type', 'grant_type is not supported')
  }
}

/** Trades a living access token of the renew era for tokens of today, as often as it is asked. */
function migrated(realm: Realm, client: Client, value: string): Tokens {
  const { grant, scopes } = requireLiveAccessToken(realm, value)
  if (grant.clientId !== client.clientId)
    throw new Refusal('invalid_grant', 'the token is not of this client')
  return startGrant(realm, 'authorization_code', {
    clientId: client.clientId,
    account: grant.account,
    scopes,
  })
}

function shorten({ accessToken, now }: Tokens): void {
  accessToken.expiresAt = Math.min(accessToken.expiresAt ?? Number.POSITIVE_INFINITY, now + SHORT_LIFETIME_MS)
}

/** There are no scopes in it: `token/status` has them. */
function tokenBody({ grant, accessToken, refreshToken }: Tokens, isShortLived: boolean): object {
  return {
    access_token: accessToken.value,
    token_type: 'bearer',
    expires_at: isoTime(accessToken.expiresAt),
    merchant_id: grant.account.id,
    refresh_token: refreshToken?.value,
    refresh_token_expires_at: isoTime(refreshToken?.expiresAt),
    short_lived: isShortLived,
  }
}

/** Whole seconds, rounded down; undefined = never, and the answer says nothing. */
export function isoTime(ms: number | undefined): string | undefined {
  return ms === undefined ? undefined : new Date(ms).toISOString().replace(/\.\d+Z$/, 'Z')
}

/**
 * Reads a JSON true or false; absent = false.
 *
 * @throws Refusal `invalid_request`
 */
export function flag(body: Parameters, name: string): boolean {
  const value = body[name] ?? false
  if (typeof value !== 'boolean') throw new Refusal('invalid_request', `${name} must be true or false`)
  return value
}

function list(body: Parameters, name: string): string[] {
  const value: unknown = body[name] ?? []
  if (Array.isArray(value) && value.every(item => typeof item === 'string')) return value
  throw new Refusal('invalid_request', `${name} must be a list of strings`)
}
