import type { ConnectionName } from './broker.ts'

/** Grants every combination of its members. Entries are exact or end in `*`, which matches any rest. */
export interface Rule {
  readonly providers: readonly string[]
  readonly accounts: readonly string[]
  /** RPC names without their service. */
  readonly methods: readonly string[]
}

/** Whether any rule allows the method for the connection. No rule, no right: there are no denying rules. */
export function isAllowed(rules: readonly Rule[], method: string, name: ConnectionName): boolean {
  return rules.some(
    rule =>
      matchesAny(rule.methods, method) &&
      matchesAny(rule.providers, name.provider) &&
      matchesAny(rule.accounts, name.account),
  )
}

/** Whether any rule allows the method for some connection, whichever. */
export function isAllowedAnywhere(rules: readonly Rule[], method: string): boolean {
  return rules.some(
    rule => matchesAny(rule.methods, method) && rule.providers.length > 0 && rule.accounts.length > 0,
  )
}

function matchesAny(patterns: readonly string[], value: string): boolean {
  return patterns.some(pattern =>
    pattern.endsWith('*') ? value.startsWith(pattern.slice(0, -1)) : pattern === value,
  )
}
