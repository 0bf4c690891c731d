import { Refusal } from './errors.ts'

/** What a dialect's server lets clients ask for. */
export interface ScopeRules {
  /** Everything there is; absent = any well-formed scope. */
  readonly known?: readonly string[]
  /** What a request without scopes gets. */
  readonly fallback: readonly string[]
}

/** RFC 6749 section 3.3. */
const SCOPE = /^[\x21\x23-\x5b\x5d-\x7e]+$/

/**
 * The scopes that a request is about.
 *
 * @throws Refusal `invalid_scope` if one is malformed or unknown
 */
export function resolveScopes(asked: readonly string[], { known, fallback }: ScopeRules): readonly string[] {
  const bad = asked.find(scope => !(known?.includes(scope) ?? SCOPE.test(scope)))
  if (bad !== undefined) throw new Refusal('invalid_scope', 'a scope is unknown or malformed')
  return asked.length === 0 ? fallback : asked
}
