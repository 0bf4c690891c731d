import type { AuthorizeRequest, Dialect } from '../dialect.ts'
import { optional, type Parameters, scopes } from '../request.ts'
import { resolveScopes, type ScopeRules } from '../scopes.ts'

/** TikTok's separator, in requests and in answers. */
export const SEPARATOR = ','

/**
 * TikTok's consent page, which Login Kit and TikTok for Business share.
 *
 * A scope that the app may not ask for is told to the user on TikTok's own page, and nobody is sent back.
 *
 * @param check a product's own rules for the request; throws a Refusal
 */
export function tiktokAuthorize(
  rules: ScopeRules,
  check: (request: AuthorizeRequest) => void = () => {},
): Dialect['authorize'] {
  return {
    path: '/v2/auth/authorize/',
    read(query) {
      const request = readRequest(query)
      check(request)
      return { ...request, scopes: resolveScopes(request.scopes, rules) }
    },
    callback: (outcome, { state }) =>
      outcome.kind === 'allowed'
        ? { code: outcome.code, scopes: outcome.scopes.join(SEPARATOR), state }
        : {
            error: outcome.refusal.code,
            error_description: outcome.refusal.message,
            // Assumed: that there is a number is known, its value is not.
            error_code: '-2',
            state,
          },
  }
}

/** The client has a name of its own here; a challenge is for mobile and desktop apps and ignored. */
function readRequest(query: Parameters): AuthorizeRequest {
  return {
    clientId: optional(query, 'client_key'),
    redirectUri: optional(query, 'redirect_uri'),
    responseType: optional(query, 'response_type'),
    scopes: scopes(query, 'scope', /,/),
    state: optional(query, 'state'),
  }
}
