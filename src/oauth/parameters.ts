import type { HttpRequest } from '../egress/http.ts'
import type { Definition, Operation } from '../providers/definition.ts'
import type { RefreshInput, RevokeInput } from './inputs.ts'
import { fillHeaders } from './request.ts'
import { mentions, type Values } from './template.ts'

/** What a refresh sends by its standard names. */
export function refreshParameters(
  { refresh, authorize }: Definition,
  input: RefreshInput,
): Record<string, string> {
  if (refresh.mode === 'refresh_token') {
    return { grant_type: 'refresh_token', refresh_token: input.refreshToken?.expose() ?? '' }
  }
  // What an exchange of access tokens is called differs everywhere: its definition's params say it.
  if (refresh.mode === 'exchange_access_token') return {}
  const scope = input.scopes.join(authorize.scope_separator)
  return { grant_type: 'client_credentials', ...(scope && { scope }) }
}

/** What a revocation sends by its standard names (RFC 7009 section 2.1). */
export function revokeParameters(
  { operations }: Definition,
  { token, hint }: RevokeInput,
): Record<string, string> {
  if (operations.revoke?.token === 'account' || token === undefined) return {}
  return { token: token.expose(), token_type_hint: hint }
}

/** The token goes where callers would put it, unless the definition's params carry it. */
export function present(
  definition: Definition,
  operation: Operation,
  request: HttpRequest,
  values: Values,
): HttpRequest {
  const carriers = [operation.url, ...Object.values(operation.params), ...Object.values(operation.headers)]
  if (mentions(carriers, 'access_token')) return request
  const { header, prefix, headers } = definition.present
  const presented = fillHeaders({ ...headers, [header]: `${prefix}{access_token}` }, values)
  return { ...request, headers: { ...presented, ...request.headers } }
}
