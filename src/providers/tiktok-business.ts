import type { DefinitionInput } from './definition.ts'

/**
 * TikTok for Business, the flow of account holders (`tt_user`), not the one of advertisers.
 *
 * One id has three names: `client_key` at the consent page, `client_id` at the token endpoints, `app_id` when a
 * token is inspected. Sources: working clients (Chatwoot, Postiz, Nango), recorded answers of python-tiktok. What
 * only third parties say, or nobody, is marked as assumed. No test environment is known for this flow.
 */
export const tiktokBusiness: DefinitionInput = {
  id: 'tiktok-business',
  as_of: '2026-11-05',
  docs: 'https://business-api.tiktok.com/portal/docs',
  authorize: {
    url: 'https://www.tiktok.com/v2/auth/authorize/',
    // Without it, who consented before is sent back unasked and cannot add the scopes that they left out.
    params: { disable_auto_auth: '1' },
    names: { client_id: 'client_key' },
    scope_separator: ',',
    // No client of this flow sends a challenge.
    pkce: 'off',
  },
  // A refusal carries `error`, `error_description` and `error_code`; any of the codes alone is one too.
  callback: { error: { code: 'error_code', description: 'error_description' } },
  client_auth: 'body',
  root: '/data',
  // The status is 200 for failures too.
  success: [{ at: '/code', equals: 0 }],
  operations: {
    exchange: {
      url: 'https://business-api.tiktok.com/open_api/v1.3/tt_user/oauth2/token/',
      encoding: 'json',
      names: { code: 'auth_code' },
    },
    refresh: {
      url: 'https://business-api.tiktok.com/open_api/v1.3/tt_user/oauth2/refresh_token/',
      encoding: 'json',
    },
    revoke: {
      url: 'https://business-api.tiktok.com/open_api/v1.3/tt_user/oauth2/revoke/',
      encoding: 'json',
      names: { token: 'access_token', token_type_hint: null },
      token: 'access',
      // Assumed: nobody says what else ends, so other connections of the account are taken to be concerned.
      revokes: 'account',
    },
    verify: {
      method: 'POST',
      url: 'https://business-api.tiktok.com/open_api/v1.3/tt_user/token_info/get/',
      encoding: 'json',
      params: { app_id: '{client_id}', access_token: '{access_token}' },
      yields: { provider_account_id: '/creator_id', scope: { at: '/scope', split: ',' } },
    },
  },
  answer: {
    // Also the `business_id` of every later call.
    provider_account_id: '/open_id',
    scope: { at: '/scope', split: ',' },
    refresh_expires: { at: '/refresh_token_expires_in', as: 'seconds' },
  },
  refresh: {
    // Whether the refresh token changes, and whether the old one works on, is not known: what comes is stored,
    // what was used is held as spent and retried once.
    // Recorded answers count one year down from the consent: no refresh prolongs it.
    refresh_lifetime: { of: '365d', kind: 'absolute' },
  },
  errors: [
    { at: '/code', in: [40100, 51021], class: 'rate_limited' },
    // Some clients saw 40110 for an expired code, some for too many requests: the message decides.
    { at: '/message', matches: '[Tt]oo many requests|QPS limit', class: 'rate_limited' },
    { at: '/code', range: [50_000, 59_999], class: 'retry' },
    { at: '/code', equals: 40101, class: 'client' },
    { operation: 'verify', at: '/code', equals: 40105, class: 'reauthorize' },
    { operation: 'verify', at: '/code', equals: 40001, class: 'unsupported' },
    // "Incorrect or has been revoked" is said of a token that merely expired too: the grant may live on.
    { operation: 'revoke', at: '/code', equals: 40105, class: 'ambiguous' },
    // Assumed: the permission may be the app's or the account's.
    { at: '/code', equals: 40001, class: 'ambiguous' },
    // Assumed: no code for a dead refresh token is known, so every other refusal is one; the broker asks twice.
    { operation: ['exchange', 'refresh'], at: '/code', range: [1, 99_999], class: 'reauthorize' },
  ],
  present: { header: 'Access-Token', prefix: '', base_url: 'https://business-api.tiktok.com' },
  // The consent page lets people untick scopes, and the exchange succeeds all the same.
  missing_scopes: 'refuse',
}
