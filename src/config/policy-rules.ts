import { z } from 'zod'
import type { AllowRule } from './config.ts'
import { METHODS } from './methods.ts'
import { Mistake } from './mistake.ts'
import type { ConfigPath, Report } from './problem.ts'
import { type Roles, withBuiltInRoles } from './roles.ts'
import { text, whenWellFormed } from './shape.ts'
import { didYouMean } from './suggest.ts'

/** Of one caller; who needs more needs a second name. */
const RULES_MAX = 100
/** Of one list; more is what a trailing `*` is for. */
const PATTERNS_MAX = 1_000
/** Bytes of an account's name, as the API has it. */
const ACCOUNT_BYTES_MAX = 256
/** Characters of a scope, as the API has it. */
const SCOPE_CHARS_MAX = 256
/** Of a whole configuration; a company has a handful of jobs. */
const ROLES_MAX = 100
/** Faster than this is no limit: one broker answers less. */
const CALLS_PER_MINUTE_MAX = 1_000_000
const ANY = '*'

const ROLE = /^[a-z][a-z0-9-]{0,62}$/
/** RFC 6749 section 3.3. */
const SCOPE = /^[\x21\x23-\x5b\x5d-\x7e]+$/

const listOf = <T>(parse: (written: string) => T) => z.array(text(parse)).min(1).max(PATTERNS_MAX)

const ruleSchema = z
  .strictObject({
    providers: listOf(parseProviderPattern),
    accounts: listOf(parseAccountPattern),
    methods: listOf(parseMethod).optional(),
    roles: listOf(parseRole).optional(),
    scopes: z.array(text(parseScopePattern)).max(PATTERNS_MAX).optional(),
  })
  .refine(({ methods, roles }) => methods !== undefined || roles !== undefined, {
    path: ['methods'],
    error: 'is missing; or roles',
    ...whenWellFormed,
  })

/** `callers[].allow`: the rules of one caller, each checked by itself. */
export const allowSchema = z.array(ruleSchema).max(RULES_MAX)

/** `callers[].calls_per_minute`. */
export const callsPerMinuteSchema = z.int().min(1).max(CALLS_PER_MINUTE_MAX)

/** `roles`: named sets of methods beside the built-in ones. */
export const rolesSchema = z
  .record(text(parseNewRole), listOf(parseMethod))
  .refine(roles => Object.keys(roles).length <= ROLES_MAX, { error: `expected at most ${ROLES_MAX} roles` })

/** A rule as it is written. */
export type WrittenRule = z.output<typeof ruleSchema>
/** The configuration's own roles as they are written. */
export type WrittenRoles = z.output<typeof rolesSchema>

/** The built-in roles and the configuration's own. */
export function readRoles(written: WrittenRoles): Roles {
  return withBuiltInRoles(Object.entries(written))
}

/**
 * The rules of one caller with their roles resolved to methods; a role that does not exist is reported.
 *
 * @param path of the list of rules
 */
export function readRules(
  written: readonly WrittenRule[],
  roles: Roles,
  path: ConfigPath,
  report: Report,
): AllowRule[] {
  return written.map(({ methods = [], roles: names = [], ...rule }, index): AllowRule => {
    for (const [at, name] of names.entries()) {
      if (roles.has(name)) continue
      const known = [...roles.keys()]
      const message = `no role has this name; there are ${known.join(', ')}${didYouMean(name, known)}`
      report([...path, index, 'roles', at], message)
    }
    const granted = new Set([...methods, ...names.flatMap(name => roles.get(name) ?? [])])
    return { ...rule, methods: [...granted], ...(names.length > 0 && { roles: names }) }
  })
}

function parseProviderPattern(written: string): string {
  if (written !== ANY && !/^[a-z][a-z0-9-]{0,62}\*?$/.test(written)) {
    throw new Mistake('expected the id of a provider, the beginning of one and *, or * alone')
  }
  return written
}

function parseAccountPattern(written: string): string {
  const exact = beforeStar(written)
  const isName =
    !/[\p{Cc}\ufffd]/u.test(exact) &&
    exact === exact.normalize('NFC') &&
    Buffer.byteLength(exact) <= ACCOUNT_BYTES_MAX
  if (!isName) throw new Mistake('expected at most 256 bytes of NFC text without control characters')
  return written
}

function parseScopePattern(written: string): string {
  const exact = beforeStar(written)
  if (written !== ANY && (exact.length > SCOPE_CHARS_MAX || !SCOPE.test(exact))) {
    throw new Mistake('expected a scope, the beginning of one and *, or * alone')
  }
  return written
}

function beforeStar(written: string): string {
  const exact = written.endsWith(ANY) ? written.slice(0, -1) : written
  if (exact.includes(ANY)) throw new Mistake('* stands for the rest of a name, so only at its end')
  return exact
}

function parseMethod(written: string): string {
  if (written === ANY || METHODS.includes(written)) return written
  throw new Mistake(`expected the name of an RPC without its service, or *${didYouMean(written, METHODS)}`)
}

function parseRole(written: string): string {
  if (ROLE.test(written)) return written
  throw new Mistake('expected the name of a role: 1 to 63 of a-z, 0-9 and "-", beginning with a letter')
}

function parseNewRole(written: string): string {
  const name = parseRole(written)
  if (withBuiltInRoles([]).has(name)) throw new Mistake('is a built-in role; take another name')
  return name
}
