import type { ConnectionName } from '../broker.ts'

/** Grants every combination of its members. Entries are exact or end in `*`, which matches any rest. */
export interface Rule {
  readonly providers: readonly string[]
  readonly accounts: readonly string[]
  /** RPC names without their service. */
  readonly methods: readonly string[]
  /** The scopes that a call may name, or leave to the configuration. Absent = any. */
  readonly scopes?: readonly string[]
}

/** Whether any rule allows the method for the connection. No rule, no right: there are no denying rules. */
export function isAllowed(rules: readonly Rule[], method: string, name: ConnectionName): boolean {
  return rules.some(rule => grants(rule, method, name))
}

/** The accounts of a provider that rules allow the method for: exact, or ending in `*`; none if no rule allows it. */
export function allowedAccounts(rules: readonly Rule[], method: string, provider: string): string[] {
  const granting = rules.filter(
    rule => matchesAny(rule.methods, method) && matchesAny(rule.providers, provider),
  )
  return granting.flatMap(({ accounts }) => accounts)
}

/** Whether any rule allows the method for some connection, whichever. */
export function isAllowedAnywhere(rules: readonly Rule[], method: string): boolean {
  return rules.some(
    rule => matchesAny(rule.methods, method) && rule.providers.length > 0 && rule.accounts.length > 0,
  )
}

/** Whether one rule allows the method for every connection that there can be. */
export function isAllowedEverywhere(rules: readonly Rule[], method: string): boolean {
  return rules.some(
    ({ providers, accounts, methods }) =>
      matchesAny(methods, method) && providers.includes('*') && accounts.includes('*'),
  )
}

/**
 * Whether the rules let somebody see, by the method, what is about a connection, or about none: an empty provider. Of
 * that the empty account says nothing, for it is the name of system-level credentials.
 */
export function isVisible(rules: readonly Rule[], method: string, name: ConnectionName): boolean {
  return name.provider === '' ? isAllowedEverywhere(rules, method) : isAllowed(rules, method, name)
}

/** Those of the scopes that no rule lets a call of the method name for the connection. */
export function forbiddenScopes(
  rules: readonly Rule[],
  method: string,
  name: ConnectionName,
  scopes: readonly string[],
): string[] {
  const granting = rules.filter(rule => grants(rule, method, name))
  return scopes.filter(
    scope => !granting.some(rule => rule.scopes === undefined || matchesAny(rule.scopes, scope)),
  )
}

/** Whether one rule allows the method for the connection. */
function grants(rule: Rule, method: string, name: ConnectionName): boolean {
  return (
    matchesAny(rule.methods, method) &&
    matchesAny(rule.providers, name.provider) &&
    matchesAny(rule.accounts, name.account)
  )
}

/** Whether a value is one of the patterns, or begins like one that ends in `*`. */
export function matchesAny(patterns: readonly string[], value: string): boolean {
  return patterns.some(pattern =>
    pattern.endsWith('*') ? value.startsWith(pattern.slice(0, -1)) : pattern === value,
  )
}
