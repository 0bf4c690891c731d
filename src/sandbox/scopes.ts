import { Refusal } from './errors.ts'

/** What a dialect's server lets clients ask for. */
export interface ScopeRules {
  /** Everything there is; absent = whatever looks like a scope. */
  readonly known?: readonly string[]
  /** What one looks like where nothing lists them all; absent = as RFC 6749 section 3.3 says. */
  readonly pattern?: RegExp
  /** What a request without scopes gets. */
  readonly fallback: readonly string[]
}

const WELL_FORMED = /^[\x21\x23-\x5b\x5d-\x7e]+$/

/**
 * The scopes that a request is about.
 *
 * @throws Refusal `invalid_scope` if one is malformed or unknown
 */
export function resolveScopes(asked: readonly string[], rules: ScopeRules): readonly string[] {
  const { known, pattern = WELL_FORMED, fallback } = rules
  const bad = asked.find(scope => !(known?.includes(scope) ?? pattern.test(scope)))
  if (bad !== undefined) throw new Refusal('invalid_scope', 'a scope is unknown or malformed')
  return asked.length === 0 ? fallback : asked
}
