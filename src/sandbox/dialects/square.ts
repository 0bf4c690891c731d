import { PLAIN_BEHAVIOR } from '../behavior.ts'
import type { CallbackOutcome, Dialect } from '../dialect.ts'
import { optional, scopes } from '../request.ts'
import { apiEndpoints, revoke } from './square-api.ts'
import { refuse, trouble } from './square-errors.ts'
import { token } from './square-token.ts'

// Sources: Square's API specification (Square-Version 2025-08-20), its Node SDK (2026-05-20), the developer
// documentation on OAuth, and its forum for the older error bodies. What none of them says is marked as assumed.

const DAY_MS = 24 * 3_600_000

/** Square. A `code_challenge` makes a grant of the PKCE kind, whoever sends it. */
export const square: Dialect = {
  id: 'square',
  title: 'Square (sandbox)',
  prefixes: { code: 'sq0cgp-', accessToken: 'EAAA', refreshToken: 'EQAA' },
  behavior: {
    ...PLAIN_BEHAVIOR,
    codeLifetimeMs: 5 * 60_000,
    accessTokenLifetimeMs: 30 * DAY_MS,
    // "The refresh token is multi-use and never expires"; the answer repeats it.
    refreshTokenLifetimeMs: null,
    replay: 'same',
    omitsUnchanged: false,
    // Reported by users of its forum.
    sharesRefreshToken: true,
    revokes: 'account',
  },
  // "Single-use and expires in 90 days", and so does its successor.
  pkceBehavior: {
    refreshTokenLifetimeMs: 90 * DAY_MS,
    refreshTokenExpiry: 'sliding',
    replay: 'single_use',
    sharesRefreshToken: false,
  },
  accounts: [
    { id: 'MLQW2MYBY81PZ', name: 'Ada Coffee' },
    { id: 'MLQW2MYBY81Q0', name: 'Ben Books' },
  ],
  // Dozens, and more with each version. Assumed: what a request without scopes gets.
  scopes: { pattern: /^[A-Z]+(_[A-Z0-9]+)*$/, fallback: ['MERCHANT_PROFILE_READ'] },
  authorize: {
    path: '/oauth2/authorize',
    read(query) {
      const challenge = optional(query, 'code_challenge')
      return {
        clientId: optional(query, 'client_id'),
        redirectUri: optional(query, 'redirect_uri'),
        // Neither it nor the challenge's method is a parameter of Square's; both go without saying.
        responseType: optional(query, 'response_type') ?? 'code',
        scopes: scopes(query, 'scope', / +/),
        state: optional(query, 'state'),
        challenge,
        challengeMethod: optional(query, 'code_challenge_method') ?? (challenge && 'S256'),
      }
    },
    callback: (outcome, { state }) => ({ ...callbackParameters(outcome), state }),
    fragment: '_=_',
  },
  endpoints: [token, revoke, ...apiEndpoints],
  clientIdOf: ({ body }) => (typeof body.client_id === 'string' ? body.client_id : undefined),
  refuse,
  trouble,
  tokenAnswer: { expires: 'expires_at', tokenType: 'token_type' },
}

function callbackParameters(outcome: CallbackOutcome): Record<string, string> {
  if (outcome.kind === 'allowed') return { code: outcome.code, response_type: 'code' }
  const { code, message } = outcome.refusal
  return { error: code, error_description: code === 'access_denied' ? 'user_denied' : message }
}
