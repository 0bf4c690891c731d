import type { Answer } from '../dialect.ts'

/** Where the account-holder flow's OAuth endpoints are. */
export const OAUTH_PATH = '/open_api/v1.3/tt_user/oauth2'

/** The numbers that say what went wrong; only 40105 and 40100 were seen with their messages in recorded answers. */
export const CODES = {
  noPermission: 40001,
  badRequest: 40002,
  rateLimited: 40100,
  wrongSecret: 40101,
  wrongToken: 40105,
  wrongCode: 40110,
  // Assumed: internal errors are known to begin with 5, no more.
  internal: 50000,
} as const

/** Real ones differ with each answer; here the log of requests tells them apart. */
const REQUEST_ID = '202403040357439E497F7E6668D60F2700'

/** What went well. */
export function success(data: object): Answer {
  return { status: 200, json: { code: 0, message: 'OK', request_id: REQUEST_ID, data } }
}

/** What went wrong, which the HTTP status does not say. */
export function failure(code: number, message: string): Answer {
  return { status: 200, json: { code, message, request_id: REQUEST_ID, data: {} } }
}
