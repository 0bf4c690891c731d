import type { DefinitionInput } from './definition.ts'

/** The API version whose answers these facts describe. */
const HEADERS = { 'Square-Version': '2026-05-20' }

/**
 * Square, the code flow of confidential clients. Sources: its OpenAPI description (Square-Version 2025-08-20), the
 * Node.js SDK 2026-05-20, developer.squareup.com, and its forum for the older error dialect.
 */
export const square: DefinitionInput = {
  id: 'square',
  as_of: '2026-11-05',
  docs: 'https://developer.squareup.com/docs/oauth-api/overview',
  authorize: {
    url: 'https://connect.squareup.com/oauth2/authorize',
    // Otherwise whoever is logged in at Square in that browser consents unasked.
    params: { session: 'false' },
    // A challenge would turn the grant into one of the PKCE flow: refresh tokens for one use and 90 days.
    pkce: 'off',
    redirect_https_required: true,
  },
  client_auth: 'body',
  // The description allows errors in a 200 too.
  success: [{ at: '/errors', absent: true }],
  operations: {
    exchange: { url: 'https://connect.squareup.com/oauth2/token', encoding: 'json', headers: HEADERS },
    refresh: { url: 'https://connect.squareup.com/oauth2/token', encoding: 'json', headers: HEADERS },
    // Turns an access token of before 2019-03-13 into a grant, as often as asked while that token lives.
    migrate: {
      url: 'https://connect.squareup.com/oauth2/token',
      encoding: 'json',
      headers: HEADERS,
      params: { grant_type: 'migration_token', migration_token: '{access_token}' },
    },
    revoke: {
      url: 'https://connect.squareup.com/oauth2/revoke',
      encoding: 'json',
      headers: HEADERS,
      client_auth: { header: { Authorization: 'Client {client_secret}' } },
      params: { client_id: '{client_id}' },
      names: { token: 'access_token', token_type_hint: null },
      token: 'access',
      // All tokens of this seller for this application end, unless `revoke_only_access_token` is sent.
      revokes: 'account',
    },
    verify: {
      method: 'POST',
      url: 'https://connect.squareup.com/oauth2/token/status',
      yields: {
        provider_account_id: '/merchant_id',
        scope: { at: '/scopes' },
        expires: { at: '/expires_at', as: 'iso8601' },
      },
    },
  },
  answer: {
    // The answer never holds scopes; verify yields them.
    provider_account_id: '/merchant_id',
    expires: { at: '/expires_at', as: 'iso8601' },
    // The PKCE flow alone sends it.
    refresh_expires: { at: '/refresh_token_expires_at', as: 'iso8601' },
  },
  refresh: {
    // "The refresh token is multi-use and never expires", and the same one comes back.
    replay: 'same',
    refresh_lifetime: { kind: 'none' },
    // "Automatically renew … every 7 days or less."
    keep_alive: '7d',
  },
  errors: [
    // Two dialects. The older one tells a bad code by its message alone.
    {
      operation: 'exchange',
      http: 401,
      at: '/message',
      matches: '^Authorization code not found',
      class: 'reauthorize',
    },
    // A revoked token and a wrong client secret look the same here.
    {
      operation: ['exchange', 'refresh', 'migrate'],
      http: 401,
      at: '/type',
      equals: 'service.not_authorized',
      class: 'ambiguous',
    },
    {
      operation: ['exchange', 'refresh', 'migrate', 'revoke'],
      at: '/errors/0/code',
      equals: 'UNAUTHORIZED',
      class: 'ambiguous',
    },
    // An access token that merely expired has left its grant alive.
    { operation: 'revoke', at: '/errors/0/code', equals: 'ACCESS_TOKEN_EXPIRED', class: 'ambiguous' },
    {
      at: '/errors/0/code',
      in: ['UNAUTHORIZED', 'ACCESS_TOKEN_EXPIRED', 'ACCESS_TOKEN_REVOKED'],
      class: 'reauthorize',
    },
    { at: '/errors/0/code', in: ['CLIENT_DISABLED', 'APPLICATION_DISABLED'], class: 'client' },
    {
      operation: 'verify',
      at: '/errors/0/code',
      in: ['INSUFFICIENT_SCOPES', 'FORBIDDEN', 'V1_ACCESS_TOKEN'],
      class: 'unsupported',
    },
    // A refresh may ask for scopes that the seller never granted.
    { at: '/errors/0/code', equals: 'INSUFFICIENT_SCOPES', class: 'connection' },
    { at: '/errors/0/code', equals: 'RATE_LIMITED', class: 'rate_limited' },
    { at: '/errors/0/code', in: ['SERVICE_UNAVAILABLE', 'GATEWAY_TIMEOUT'], class: 'retry' },
  ],
  present: { headers: HEADERS, base_url: 'https://connect.squareup.com' },
  environments: {
    test: {
      // Unlike production, the sandbox takes http://localhost. It ignores `session`.
      authorize: {
        url: 'https://connect.squareupsandbox.com/oauth2/authorize',
        redirect_https_required: false,
      },
      operations: {
        exchange: { url: 'https://connect.squareupsandbox.com/oauth2/token' },
        refresh: { url: 'https://connect.squareupsandbox.com/oauth2/token' },
        migrate: { url: 'https://connect.squareupsandbox.com/oauth2/token' },
        revoke: { url: 'https://connect.squareupsandbox.com/oauth2/revoke' },
        verify: { url: 'https://connect.squareupsandbox.com/oauth2/token/status' },
      },
      present: { base_url: 'https://connect.squareupsandbox.com' },
    },
  },
}
