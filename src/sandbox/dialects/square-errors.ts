import type { Answer, Operation } from '../dialect.ts'
import type { Refusal } from '../errors.ts'
import type { DialectRequest } from '../request.ts'

/** Writes one error as the whole API does. */
export function apiError(status: number, category: string, code: string, detail: string): Answer {
  return { status, json: { errors: [{ category, code, detail }] } }
}

/** What the API says to a token that it does not know, and `token/status` to every dead one. */
export const UNAUTHORIZED = authenticationError('UNAUTHORIZED', 'This request could not be authorized.')

/** A 401 with one of the codes of that category. */
export function authenticationError(code: string, detail: string): Answer {
  return apiError(401, 'AUTHENTICATION_ERROR', code, detail)
}

/**
 * The token endpoint answers in the older dialect to what it cannot authorize, and says the same of a wrong
 * secret and of a dead refresh token.
 */
export function refuse(refusal: Refusal, operation: Operation, { body }: DialectRequest): Answer {
  const isToken = operation === 'exchange' || operation === 'refresh'
  switch (refusal.code) {
    case 'invalid_client':
    case 'unauthorized_client':
      return isToken ? notAuthorized('Not Authorized') : UNAUTHORIZED
    case 'invalid_grant':
      if (operation === 'exchange')
        return notAuthorized(`Authorization code not found for app [${String(body.client_id)}]`)
      return isToken ? notAuthorized('Not Authorized') : UNAUTHORIZED
    case 'invalid_scope':
      // Assumed: the status and that a refresh which asks for too much is told so.
      return apiError(403, 'AUTHENTICATION_ERROR', 'INSUFFICIENT_SCOPES', refusal.message)
    default:
      return apiError(400, 'INVALID_REQUEST_ERROR', 'BAD_REQUEST', refusal.message)
  }
}

function notAuthorized(message: string): Answer {
  return { status: 401, json: { message, type: 'service.not_authorized' } }
}

/** The body that goes with 429 and 5xx. */
export function trouble(status: number): unknown {
  switch (status) {
    case 429:
      return apiError(status, 'RATE_LIMIT_ERROR', 'RATE_LIMITED', 'Too many requests.').json
    case 503:
      return apiError(status, 'API_ERROR', 'SERVICE_UNAVAILABLE', 'The service is unavailable.').json
    case 504:
      return apiError(status, 'API_ERROR', 'GATEWAY_TIMEOUT', 'The gateway timed out.').json
    default:
      return apiError(status, 'API_ERROR', 'INTERNAL_SERVER_ERROR', 'An internal error has occurred.').json
  }
}
