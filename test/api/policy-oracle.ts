/**
 * Who may do what, written down once more: as plain predicates beside the YAML that is meant to say the same. Nothing
 * here uses the broker's own reading or judging of rules.
 */

/** One call, as the oracle sees it. */
export interface Asked {
  readonly method: string
  readonly provider: string
  readonly account: string
}

/** A caller twice: as the operator writes it, and as the operator means it. */
export interface Case {
  readonly name: string
  /** `allow` as YAML. */
  readonly allow: string
  readonly may: (asked: Asked) => boolean
}

/** Those that name one connection. */
export const ON_CONNECTION = [
  'GetAccessToken',
  'WatchAccessTokens',
  'GetStatus',
  'Refresh',
  'Disconnect',
  'CreateConsentLink',
  'ImportConnection',
  'RebindConnections',
]
/** Those that are answered with what the caller may see. */
export const FILTERED = [
  'GetConsent',
  'CompleteConsent',
  'ListConnections',
  'ListProviders',
  'WatchConnections',
  'ListAuditRecords',
  'FindReleases',
]
/** Those about the broker as a whole. */
export const WHOLE = ['GetKeys', 'RotateKeys', 'RewrapKeys', 'GetRestore']
export const EVERY_METHOD = [...ON_CONNECTION, ...FILTERED, ...WHOLE]

const LOOKS = 'GetStatus ListConnections ListProviders WatchConnections'.split(' ')
const MENDS = [...LOOKS, ...'Refresh Disconnect CreateConsentLink GetConsent CompleteConsent'.split(' ')]
const SEARCHES = [...LOOKS, 'ListAuditRecords', 'FindReleases']

/** The methods of `roles: {own: …}` in the matrix's configuration. */
export const OWN_ROLE = ['GetAccessToken', 'Refresh']

export const CASES: readonly Case[] = [
  { name: 'nothing', allow: '[]', may: () => false },
  { name: 'everything', allow: '[{providers: ["*"], accounts: ["*"], methods: ["*"]}]', may: () => true },
  { name: 'admin', allow: '[{providers: ["*"], accounts: ["*"], roles: [admin]}]', may: () => true },
  {
    name: 'one-token',
    allow: '[{providers: [pinterest], accounts: [acme], methods: [GetAccessToken]}]',
    may: ({ method, provider, account }) =>
      method === 'GetAccessToken' && provider === 'pinterest' && account === 'acme',
  },
  {
    name: 'system-level',
    allow: '[{providers: [pinterest], accounts: [""], methods: ["*"]}]',
    may: ({ provider, account }) => provider === 'pinterest' && account === '',
  },
  {
    name: 'reader',
    allow: '[{providers: ["*"], accounts: ["*"], roles: [reader]}]',
    may: ({ method }) => LOOKS.includes(method),
  },
  {
    name: 'reader-of-squares',
    allow: '[{providers: ["square*"], accounts: ["*"], roles: [reader]}]',
    may: ({ method, provider }) => LOOKS.includes(method) && provider.slice(0, 6) === 'square',
  },
  {
    name: 'operator-of-acme',
    allow: '[{providers: ["*"], accounts: ["acme*"], roles: [operator]}]',
    may: ({ method, account }) => MENDS.includes(method) && account.slice(0, 4) === 'acme',
  },
  {
    name: 'auditor',
    allow: '[{providers: ["*"], accounts: ["*"], roles: [auditor]}]',
    may: ({ method }) => SEARCHES.includes(method),
  },
  {
    name: 'own-role',
    allow: '[{providers: [pinterest, nope], accounts: [acme, zeta], roles: [own]}]',
    may: ({ method, provider, account }) =>
      OWN_ROLE.includes(method) &&
      (provider === 'pinterest' || provider === 'nope') &&
      (account === 'acme' || account === 'zeta'),
  },
  {
    name: 'admin-of-one',
    allow: '[{providers: [square-eu], accounts: ["*"], roles: [admin]}]',
    may: ({ provider }) => provider === 'square-eu',
  },
  {
    name: 'crossed',
    // Each rule alone: never the providers of one with the accounts of the other.
    allow:
      '[{providers: [pinterest], accounts: [acme], methods: [GetStatus]}, {providers: [square-eu], accounts: [zeta], methods: [Refresh]}]',
    may: ({ method, provider, account }) =>
      (method === 'GetStatus' && provider === 'pinterest' && account === 'acme') ||
      (method === 'Refresh' && provider === 'square-eu' && account === 'zeta'),
  },
  {
    name: 'united',
    allow:
      '[{providers: ["*"], accounts: ["*"], methods: [GetStatus]}, {providers: ["pin*"], accounts: ["z*", ""], methods: [Disconnect, WatchConnections]}]',
    may: ({ method, provider, account }) =>
      method === 'GetStatus' ||
      ((method === 'Disconnect' || method === 'WatchConnections') &&
        provider.slice(0, 3) === 'pin' &&
        (account === '' || account.charAt(0) === 'z')),
  },
  {
    name: 'almost',
    // Names that only look like those that exist.
    allow: '[{providers: [pinteres, pinterest2], accounts: [acm, ACME], methods: ["*"]}]',
    may: ({ provider, account }) =>
      (provider === 'pinteres' || provider === 'pinterest2') && (account === 'acm' || account === 'ACME'),
  },
  {
    name: 'keys-by-name',
    allow: `[{providers: ["*"], accounts: ["*"], methods: [${WHOLE.join(', ')}]}]`,
    may: ({ method }) => WHOLE.includes(method),
  },
  {
    name: 'keys-of-some',
    allow: `[{providers: ["p*", "s*"], accounts: ["*"], methods: [${WHOLE.join(', ')}]}]`,
    may: ({ method, provider }) => WHOLE.includes(method) && /^[ps]/.test(provider),
  },
]

/** Providers and accounts that exist, and such that do not. */
export const PROVIDERS = ['pinterest', 'square-eu', 'eu-square', 'nope', 'pinteres', 'NOT A NAME']
export const ACCOUNTS = ['', 'acme', 'acme-2', 'my-acme', 'zeta', 'nobody', 'acm']
