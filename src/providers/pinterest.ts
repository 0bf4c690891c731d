import type { DefinitionInput } from './definition.ts'

/** Pinterest API v5. Sources: its OpenAPI description 5.23.0 and the official api-quickstart. */
export const pinterest: DefinitionInput = {
  id: 'pinterest',
  as_of: '2026-08-11',
  docs: 'https://developers.pinterest.com/docs/getting-started/set-up-authentication-and-authorization/',
  // PKCE is neither in the API description nor in the docs.
  authorize: { url: 'https://www.pinterest.com/oauth/', scope_separator: ',', pkce: 'off' },
  client_auth: 'basic',
  operations: {
    // Apps created before 2025-09-25 get the dead 365-day refresh token without continuous_refresh.
    exchange: {
      url: 'https://api.pinterest.com/v5/oauth/token',
      params: { continuous_refresh: 'true' },
    },
    refresh: { url: 'https://api.pinterest.com/v5/oauth/token' },
    // "Only tokens issued for system users are currently supported": all others get 403, code 29.
    revoke: { url: 'https://api.pinterest.com/v5/oauth/token/revoke', token: 'both' },
    verify: {
      url: 'https://api.pinterest.com/v5/user_account',
      needs_scope: 'user_accounts:read',
      yields: { provider_account_id: '/id', name: '/username' },
    },
  },
  answer: {
    // Comma in the official fixture, space in the docs.
    scope: { at: '/scope', split: '[ ,]+' },
    refresh_expires: { at: '/refresh_token_expires_in', as: 'seconds' },
  },
  refresh: {
    // Whether the previous token dies at once is not documented: held as spent, retried once.
    keep_alive: '30d',
    refresh_lifetime: { of: '60d', kind: 'sliding' },
  },
  errors: [
    { operation: ['exchange', 'refresh'], http: 401, at: '/code', equals: 283, class: 'reauthorize' },
    { operation: ['exchange', 'refresh', 'revoke'], http: 401, at: '/code', equals: 2, class: 'client' },
    // "Invalid request: …", which no repetition mends.
    { operation: ['exchange', 'refresh'], http: 400, at: '/code', equals: 1, class: 'connection' },
    { operation: 'revoke', http: 403, at: '/code', equals: 29, class: 'unsupported' },
    { operation: 'verify', http: 401, at: '/code', equals: 2, class: 'reauthorize' },
    { operation: 'verify', http: 401, at: '/code', equals: 3, class: 'unsupported' },
    { http: 429, class: 'rate_limited' },
  ],
  present: { base_url: 'https://api.pinterest.com' },
  environments: {
    test: {
      // The consent page is always www.pinterest.com; only the API has a test host.
      operations: {
        exchange: { url: 'https://api-sandbox.pinterest.com/v5/oauth/token' },
        refresh: { url: 'https://api-sandbox.pinterest.com/v5/oauth/token' },
        revoke: { url: 'https://api-sandbox.pinterest.com/v5/oauth/token/revoke' },
        verify: { url: 'https://api-sandbox.pinterest.com/v5/user_account' },
      },
      present: { base_url: 'https://api-sandbox.pinterest.com' },
    },
  },
}
