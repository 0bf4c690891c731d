/** The RPCs of `TokenBrokerService`, as callers are allowed them by name. */
export const TOKEN_BROKER_METHODS = [
  'GetAccessToken',
  'WatchAccessTokens',
  'GetStatus',
  'Refresh',
  'Disconnect',
] as const

/** The RPCs of `AdminService`. */
export const ADMIN_METHODS = [
  'CreateConsentLink',
  'GetConsent',
  'CompleteConsent',
  'ListConnections',
  'ImportConnection',
  'ListProviders',
  'WatchConnections',
] as const

/** Every RPC name that a caller's `allow` may hold; the two services share none. */
export const METHODS: readonly string[] = [...TOKEN_BROKER_METHODS, ...ADMIN_METHODS]
