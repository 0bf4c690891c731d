/** Sets of methods by the name of their role; a set may hold `*`. */
export type Roles = ReadonlyMap<string, readonly string[]>

/** Sees how connections are. None of it is a secret. */
const READER = ['GetStatus', 'ListConnections', 'ListProviders', 'WatchConnections'] as const

/** Connects, mends and disconnects. No token and no credential passes through its hands. */
const OPERATOR = [
  ...READER,
  'Refresh',
  'Disconnect',
  'CreateConsentLink',
  'GetConsent',
  'CompleteConsent',
] as const

/** Sees who did what, and who has had a token. */
const AUDITOR = [...READER, 'ListAuditRecords', 'FindReleases'] as const

const BUILT_IN = new Map<string, readonly string[]>([
  ['reader', READER],
  ['operator', OPERATOR],
  ['auditor', AUDITOR],
  // Every method, also those of later versions: tokens, imports, keys, audit.
  ['admin', ['*']],
])

/** The built-in roles and others beside them. */
export function withBuiltInRoles(others: Iterable<readonly [string, readonly string[]]>): Roles {
  return new Map([...BUILT_IN, ...others])
}
