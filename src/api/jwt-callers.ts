import type { JWTPayload } from 'jose'
import { issuerOf } from '../config/caller-conflicts.ts'
import type { JwtProof } from '../config/config.ts'
import type { Caller } from './callers.ts'
import { unauthenticated } from './unauthenticated.ts'

/** A JWT whose signature, times and form are right. Whether anybody is known by it is another question. */
export interface VerifiedJwt {
  /** As `issuerOf` says it. */
  readonly issuer: string
  /** As {@link sourceOf} says it: whose keys vouch for it. */
  readonly source: string
  readonly algorithm: string
  /** In lower case, without `application/`; absent if the header has none. */
  readonly type?: string
  readonly claims: JWTPayload
  /** Milliseconds between `iat` and `exp`. */
  readonly lifetimeMs: number
  /** Milliseconds since the epoch. */
  readonly expiresAtMs: number
}

/** Knows callers by verified JWTs. */
export interface JwtDirectory {
  /**
   * The first caller whose rule the token meets, in the order of the configuration.
   *
   * @param now milliseconds since the epoch
   * @throws BrokerError `CALLER_UNAUTHENTICATED`
   */
  holderOf(jwt: VerifiedJwt, now: number): Caller
}

/** What tokens are asked for that are nothing special: those for other purposes say so (RFC 8725 section 3.11). */
const ORDINARY_TYPES: readonly (string | undefined)[] = [undefined, 'jwt', 'jose', 'at+jwt']

/** What a rule asks, in the order in which it is asked, and what is said if it is not met. */
const CHECKS: readonly (readonly [why: string, isMet: (rule: JwtProof, jwt: VerifiedJwt) => boolean])[] = [
  ['the keys of its issuer are read elsewhere now', (rule, { source }) => sourceOf(rule) === source],
  ['it is for another audience', (rule, { claims }) => has(claims.aud, rule.audience)],
  ['no caller has its subject', (rule, { claims }) => isSubject(rule.subject, claims.sub)],
  ['its claims are not those of the caller', ({ claims: wanted }, { claims }) => hasAll(claims, wanted)],
  ['it is not signed as the caller has to', (rule, jwt) => rule.algorithms.includes(jwt.algorithm)],
  [
    'its type is that of a token for another purpose',
    (rule, { type }) => (rule.typ === undefined ? ORDINARY_TYPES.includes(type) : rule.typ === type),
  ],
  ['it lives longer than max_lifetime allows', (rule, jwt) => jwt.lifetimeMs <= rule.maxLifetimeMs],
]

/** Creates the directory of all callers that are known by JWTs. */
export function createJwtDirectory(
  entries: readonly { readonly rule: JwtProof; readonly caller: Caller }[],
): JwtDirectory {
  const byIssuer = Map.groupBy(entries, ({ rule }) => issuerOf(rule))
  const found = new WeakMap<VerifiedJwt, Caller>()

  function find(jwt: VerifiedJwt): Caller {
    let farthest = -1
    for (const { rule, caller } of byIssuer.get(jwt.issuer) ?? []) {
      const failed = CHECKS.findIndex(([, isMet]) => !isMet(rule, jwt))
      if (failed === -1) return caller
      farthest = Math.max(farthest, failed)
    }
    const why = CHECKS[farthest]?.[0] ?? 'no caller is configured for its issuer'
    throw unauthenticated(`the JWT is not accepted: ${why}`)
  }

  return {
    holderOf(jwt, now) {
      if (now >= jwt.expiresAtMs) throw unauthenticated('the JWT has expired')
      const caller = found.get(jwt) ?? find(jwt)
      found.set(jwt, caller)
      return caller
    },
  }
}

/** Names where the keys of an issuer are read. */
export function sourceOf({ keys }: Pick<JwtProof, 'keys'>): string {
  return JSON.stringify(keys)
}

function isSubject(pattern: string, subject: string | undefined): boolean {
  if (subject === undefined) return false
  return pattern.endsWith('*') ? subject.startsWith(pattern.slice(0, -1)) : subject === pattern
}

function hasAll(claims: JWTPayload, wanted: JwtProof['claims']): boolean {
  return [...wanted].every(([name, value]) => has(claimAt(claims, name), value))
}

function has(claim: unknown, value: string | number | boolean): boolean {
  return Array.isArray(claim) ? claim.includes(value) : claim === value
}

/** A claim by its name, or by JSON pointer (RFC 6901). */
function claimAt(claims: JWTPayload, name: string): unknown {
  const steps = name.startsWith('/') ? name.slice(1).split('/').map(unescapeStep) : [name]
  return steps.reduce<unknown>((value, step) => {
    return isMap(value) && Object.hasOwn(value, step) ? value[step] : undefined
  }, claims)
}

function unescapeStep(step: string): string {
  return step.replaceAll('~1', '/').replaceAll('~0', '~')
}

function isMap(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}
