import type { Account } from '../accounts.ts'
import type { Endpoint } from '../dialect.ts'
import { Refusal } from '../errors.ts'
import { optional, type Parameters, required, requireEncoding } from '../request.ts'
import { useAccessToken } from '../revoke.ts'
import { CODES, failure, success } from './tiktok-business-envelope.ts'
import { SEPARATOR } from './tiktok-consent.ts'

const WRONG_TOKEN = failure(CODES.wrongToken, 'Access token is incorrect or has been revoked.')

/** Says whose a token is; the app names itself, under a third name, without its secret. */
const tokenInfo: Endpoint = {
  method: 'POST',
  path: '/open_api/v1.3/tt_user/token_info/get/',
  operation: () => 'verify',
  answer(realm, request) {
    requireEncoding(request, 'json')
    const appId = required(request.body, 'app_id')
    const token = useAccessToken(realm, required(request.body, 'access_token'))
    if (token?.grant.clientId !== appId) return WRONG_TOKEN
    const { account } = token.grant
    return success({ app_id: appId, creator_id: account.id, scope: token.scopes.join(SEPARATOR) })
  },
}

const businessGet: Endpoint = {
  method: 'GET',
  path: '/open_api/v1.3/business/get/',
  operation: () => 'api',
  answer(realm, request) {
    // Bare, in a header of its own: `Authorization: Bearer` is not read.
    const token = useAccessToken(realm, request.headers['access-token'])
    if (token === undefined) return WRONG_TOKEN
    const { account } = token.grant
    if (required(request.query, 'business_id') !== account.id)
      return failure(CODES.noPermission, 'No permission to operate on this business_id.')
    return success(profile(account, readFields(request.query)))
  },
}

/** What the account-holder flow's tokens are good for. */
export const apiEndpoints: readonly Endpoint[] = [tokenInfo, businessGet]

/** Absent fields = those that Chatwoot asks for. */
function profile(account: Account, fields = ['username', 'display_name', 'profile_image']): object {
  const { id, name } = account
  const all: Record<string, string> = {
    username: name,
    display_name: name,
    profile_image: `https://tiktok.example/${id}.jpeg`,
  }
  return Object.fromEntries(Object.entries(all).filter(([field]) => fields.includes(field)))
}

/** A list in JSON, as a query parameter. */
function readFields(query: Parameters): string[] | undefined {
  const text = optional(query, 'fields')
  if (text === undefined) return undefined
  const list = parsed(text)
  if (!Array.isArray(list)) throw new Refusal('invalid_request', 'fields must be a JSON list')
  return list.map(String)
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}
