import { type Authorization, type Decision, holdsExactly, type Return } from '../dialect.ts'

/** What TikTok puts behind its codes; its clients must decode it once and send it back whole. */
const CODE_TAIL = '*0!4711.e1'

/** Where both flows of TikTok begin. */
export const AUTHORIZE_PATH = '/v2/auth/authorize/'

/** Reads the request for a consent page of TikTok, which calls the client's id its key. */
export function readAuthorization(
  query: URLSearchParams,
  ...more: readonly string[]
): Authorization | undefined {
  const { client_key, redirect_uri, scope, state, response_type } = Object.fromEntries(query)
  const names = ['client_key', 'redirect_uri', 'response_type', 'scope', 'state', ...more]
  if (!holdsExactly(query, ...names) || response_type !== 'code') return undefined
  return {
    clientId: client_key ?? '',
    redirectUri: redirect_uri ?? '',
    scopes: (scope ?? '').split(','),
    state: state ?? '',
  }
}

/** What TikTok sends the browser back with. */
export function callback(decision: Decision): Return {
  if ('code' in decision) {
    return { query: { code: decision.code + CODE_TAIL, scopes: decision.scopes.join(',') } }
  }
  return { query: { error: decision.error, error_description: decision.description, error_code: '-2' } }
}

/** The server's code in one of TikTok's; empty where it came back damaged. */
export function codeOf(sent: unknown): string {
  const text = String(sent)
  return text.endsWith(CODE_TAIL) ? text.slice(0, -CODE_TAIL.length) : ''
}
