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
  'ListAuditRecords',
  'FindReleases',
  'GetKeys',
  'RotateKeys',
  'RewrapKeys',
  'RebindConnections',
  'GetRestore',
] as const

/** The RPCs about the broker as a whole: only a rule for all providers and all accounts allows them. */
export const WHOLE_BROKER_METHODS: readonly string[] = ['GetKeys', 'RotateKeys', 'RewrapKeys', 'GetRestore']

/** Every RPC name that a caller's `allow` may hold; the two services share none. */
export const METHODS: readonly string[] = [...TOKEN_BROKER_METHODS, ...ADMIN_METHODS]
