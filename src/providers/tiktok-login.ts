import type { DefinitionInput } from './definition.ts'

/**
 * TikTok Login Kit for the web. Sources: developers.tiktok.com, its OAuth pages of 2026-11-02 and 2026-11-05, which
 * shortened tokens to two hours and made rotation strict, and older ones where those are silent.
 */
export const tiktokLogin: DefinitionInput = {
  id: 'tiktok-login',
  as_of: '2026-11-05',
  docs: 'https://developers.tiktok.com/doc/oauth-user-access-token-management',
  authorize: {
    url: 'https://www.tiktok.com/v2/auth/authorize/',
    names: { client_id: 'client_key' },
    scope_separator: ',',
    // A verifier is for mobile and desktop apps, which this is not; theirs is said to be hexadecimal besides.
    pkce: 'off',
    // "Less than 512 characters", https, no query, no fragment; no redirect URI of ours has either of these.
    redirect_https_required: true,
    redirect_length_max: 511,
  },
  client_auth: 'body',
  // Assumed: the status of errors is not documented, and several clients saw them under 200.
  success: [{ at: '/error', absent: true }],
  operations: {
    exchange: { url: 'https://open.tiktokapis.com/v2/oauth/token/', names: { client_id: 'client_key' } },
    refresh: { url: 'https://open.tiktokapis.com/v2/oauth/token/', names: { client_id: 'client_key' } },
    revoke: {
      url: 'https://open.tiktokapis.com/v2/oauth/revoke/',
      names: { client_id: 'client_key', token_type_hint: null },
      token: 'access',
      // "Disconnects your app from the user's account."
      revokes: 'account',
    },
    verify: {
      url: 'https://open.tiktokapis.com/v2/user/info/?fields=open_id',
      root: '/data/user',
      success: [{ at: '/error/code', equals: 'ok' }],
      needs_scope: 'user.info.basic',
      yields: { provider_account_id: '/open_id' },
    },
  },
  answer: {
    provider_account_id: '/open_id',
    scope: { at: '/scope', split: ',' },
    // Not `refresh_token_expires_in`, as the business host calls it. Whether a refresh prolongs the 180 days is not
    // documented, and need not be: each answer says what is left.
    refresh_expires: { at: '/refresh_expires_in', as: 'seconds' },
  },
  // "The previous refresh token stops working once a new one is issued."
  refresh: { replay: 'single_use' },
  errors: [
    { at: '/error/code', equals: 'rate_limit_exceeded', class: 'rate_limited' },
    { at: '/error/code', equals: 'internal_error', class: 'retry' },
    { operation: 'verify', at: '/error/code', equals: 'access_token_invalid', class: 'reauthorize' },
    // These come with 401, though the token works.
    {
      operation: 'verify',
      at: '/error/code',
      in: ['scope_not_authorized', 'scope_permission_missed'],
      class: 'unsupported',
    },
    // Only a living access token revokes; of one that merely expired the grant lives on.
    { operation: 'revoke', at: '/error/code', equals: 'access_token_invalid', class: 'ambiguous' },
    { operation: 'revoke', at: '/error', equals: 'invalid_grant', class: 'ambiguous' },
  ],
  present: { base_url: 'https://open.tiktokapis.com' },
}
