import type { Account } from '../accounts.ts'
import type { Answer, Endpoint } from '../dialect.ts'
import { bearerToken, scopes } from '../request.ts'
import { useAccessToken } from '../revoke.ts'

/** Real ones differ with each answer; here the log of requests tells them apart. */
export const LOG_ID = '202206221854370101130062072500FFA2'

/** The protected example API: who the token's user is, as far as `fields` asks. */
export const userInfo: Endpoint = {
  method: 'GET',
  path: '/v2/user/info/',
  operation: () => 'verify',
  answer(realm, request) {
    const token = useAccessToken(realm, bearerToken(request))
    if (token === undefined)
      return failure(401, 'access_token_invalid', 'The access token is invalid or not found in the request.')
    if (!token.scopes.includes('user.info.basic'))
      return failure(401, 'scope_not_authorized', 'The user did not authorize the scope required.')
    const fields = scopes(request.query, 'fields', /,/)
    const user = profileOf(token.grant.account)
    if (fields.length === 0 || fields.some(field => !Object.hasOwn(user, field)))
      return failure(400, 'invalid_params', 'fields must name some of the fields of a user.')
    const asked = Object.fromEntries(Object.entries(user).filter(([field]) => fields.includes(field)))
    return {
      status: 200,
      json: { data: { user: asked }, error: { code: 'ok', message: '', log_id: LOG_ID } },
    }
  },
}

function profileOf({ id, name }: Account): Readonly<Record<string, string>> {
  return {
    open_id: id,
    union_id: `union-${id}`,
    avatar_url: `https://tiktok.example/${id}.jpeg`,
    display_name: name,
  }
}

function failure(status: number, code: string, message: string): Answer {
  return { status, json: { data: {}, error: { code, message, log_id: LOG_ID } } }
}
