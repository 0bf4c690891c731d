import {
  forbiddenScopes,
  isAllowed,
  isAllowedAnywhere,
  isAllowedEverywhere,
  matchesAny,
} from '../broker/policy/policy.ts'
import type { AllowRule } from '../config/config.ts'
import { METHODS, WHOLE_BROKER_METHODS } from '../config/methods.ts'
import { OPERATOR } from '../config/operator-token.ts'
import { rulesOf } from '../config/policy.ts'
import { formatPath } from '../config/problem.ts'
import { didYouMean } from '../config/suggest.ts'
import { systemConfigParts } from '../config/system.ts'
import { readWritten, type Written } from '../config/written.ts'
import { EXIT, usageError } from './exit.ts'
import type { Io } from './io.ts'
import { plain, print, printJson, type Style, styleFor } from './output.ts'
import { formatInstant } from './time.ts'

/** RPCs whose scopes are those of a grant. */
const GRANT_METHODS = ['CreateConsentLink', 'ImportConnection']

export interface PolicyTestOptions {
  /** Undefined = what `serve` would take. */
  readonly config?: string
  readonly caller: string
  readonly method: string
  /** Undefined = for any connection. */
  readonly provider?: string
  /** `""` is the system-level credential; undefined where `provider` is. */
  readonly account?: string
  /** The scopes that the call names. */
  readonly scope: readonly string[]
  readonly json?: boolean
}

/** What is asked: one call. */
interface Question {
  readonly method: string
  /** Absent = any. */
  readonly name?: { readonly provider: string; readonly account: string }
  readonly scopes: readonly string[]
}

/** What one rule has to say to it. */
interface RuleVerdict {
  /** `callers[0].allow[1]`. */
  readonly rule: string
  /** `broker.yaml:12`. */
  readonly place: string
  readonly allows: boolean
  /** One sentence. */
  readonly because: string
}

/** The answer and its reasons. */
interface Verdict {
  readonly allowed: boolean
  /** What to know beside the rules. */
  readonly note?: string
  readonly rules: readonly RuleVerdict[]
}

/**
 * Answers from the configuration whether a caller may make a call, and which rule says so. Nothing that the
 * configuration names is read, so that it needs neither secrets nor a broker.
 *
 * @returns 0 if it may, 1 if it may not
 */
export async function policyTest(options: PolicyTestOptions, io: Io): Promise<number> {
  const question = questionOf(options)
  const written = await readWritten({ ...systemConfigParts(options.config), env: io.env })
  const verdict = await judge(written, options.caller, withConfiguredScopes(written, question), io.now())
  if (options.json) {
    const { method, name, scopes } = question
    printJson(io, { caller: options.caller, method, ...name, scopes, ...verdict })
  } else print(io, ...lines(options.caller, question, verdict, styleFor(io.stdout, io.env)))
  return verdict.allowed ? EXIT.ok : EXIT.negative
}

function questionOf({ method, provider, account, scope: scopes }: PolicyTestOptions): Question {
  if (!METHODS.includes(method)) {
    throw usageError(`--method ${method}: no RPC has this name${didYouMean(method, METHODS)}`)
  }
  if (provider === undefined && (account !== undefined || scopes.length > 0)) {
    throw usageError('--account and --scope belong to a connection: say which --provider')
  }
  return { method, name: provider === undefined ? undefined : { provider, account: account ?? '' }, scopes }
}

/** A grant for which no scopes are named has those of its provider's configuration. */
function withConfiguredScopes({ config }: Written, question: Question): Question {
  const { method, name, scopes } = question
  if (name === undefined || scopes.length > 0 || !GRANT_METHODS.includes(method)) return question
  return { ...question, scopes: config.providers[name.provider]?.scopes ?? [] }
}

async function judge(written: Written, caller: string, question: Question, now: number): Promise<Verdict> {
  if (caller === OPERATOR) {
    const allowed = written.config.operator_token === 'on'
    const note = allowed ? 'the holder of operator.token may do everything' : 'operator_token is off'
    return { allowed, note, rules: [] }
  }
  const callers = await rulesOf(written)
  const index = callers.findIndex(({ name }) => name === caller)
  const rules = callers[index]?.allow
  if (rules === undefined) {
    const names = callers.map(({ name }) => name)
    return { allowed: false, note: `no caller has this name${didYouMean(caller, names)}`, rules: [] }
  }
  const notes = [
    rules.length === 0 ? 'it has no rules' : unknownProvider(written, question),
    expired(written.config.callers[index]?.expires, now),
  ]
  return {
    allowed: isGranted(rules, question),
    note: notes.filter(Boolean).join('; ') || undefined,
    rules: rules.map((rule, at) => {
      const path = ['callers', index, 'allow', at]
      const { origin, line } = written.locate(path, '')
      const place = line === undefined ? origin : `${origin}:${line}`
      const allows = isGranted([rule], question)
      return {
        rule: formatPath(path),
        place,
        allows,
        because: allows ? grantOf(rule) : lackOf(rule, question),
      }
    }),
  }
}

/** The rules stand, but nobody can come under them: with two ends the later one counts. */
function expired(expires: number | readonly number[] | undefined, now: number): string | undefined {
  const end = expires === undefined ? undefined : Math.max(...[expires].flat())
  if (end === undefined || now < end) return undefined
  return `its token expired at ${formatInstant(new Date(end))}, so that no call of it is let in`
}

/** A rule may well name a provider that does not exist; a question about one is probably misspelt. */
function unknownProvider({ config }: Written, { name }: Question): string | undefined {
  const known = Object.keys(config.providers)
  if (name === undefined || known.includes(name.provider)) return undefined
  return `no provider ${name.provider} is configured${didYouMean(name.provider, known)}`
}

/** The judge is the broker's own. */
function isGranted(rules: readonly AllowRule[], { method, name, scopes }: Question): boolean {
  if (WHOLE_BROKER_METHODS.includes(method)) return isAllowedEverywhere(rules, method)
  if (name === undefined) return isAllowedAnywhere(rules, method)
  return isAllowed(rules, method, name) && forbiddenScopes(rules, method, name, scopes).length === 0
}

function grantOf({ providers, accounts, methods, roles = [], scopes }: AllowRule): string {
  const by = roles.length === 0 ? '' : ` (by ${list(roles)})`
  const limits = scopes === undefined ? '' : `, scopes ${list(scopes)}`
  return `has ${list(methods)}${by} for the providers ${list(providers)}, the accounts ${list(accounts)}${limits}`
}

/** The first thing that the rule lacks, in the order in which one looks for it. */
function lackOf(rule: AllowRule, { method, name, scopes }: Question): string {
  if (!matchesAny(rule.methods, method)) return `has no ${method}, only ${list(rule.methods)}`
  if (WHOLE_BROKER_METHODS.includes(method)) {
    const { providers, accounts } = rule
    return `is not for all: only for the providers ${list(providers)}, the accounts ${list(accounts)}`
  }
  if (name !== undefined && !matchesAny(rule.providers, name.provider)) {
    return `is for the providers ${list(rule.providers)}`
  }
  if (name !== undefined && !matchesAny(rule.accounts, name.account)) {
    return `is for the accounts ${list(rule.accounts)}`
  }
  const forbidden = name === undefined ? [] : forbiddenScopes([rule], method, name, scopes)
  return `does not let it name ${list(forbidden)}, only ${list(rule.scopes ?? [])}`
}

/** The system-level credential has an empty name. */
function list(items: readonly string[]): string {
  return items.length === 0 ? 'none' : items.map(item => (item === '' ? '""' : item)).join(', ')
}

function lines(caller: string, { method, name }: Question, verdict: Verdict, style: Style): string[] {
  const { allowed, note, rules } = verdict
  const answer = `${caller} may ${allowed ? '' : 'not '}call ${method} for ${connection(name)}`
  // Several rules may let it name one scope each.
  const deciding = rules.some(({ allows }) => allows) ? rules.filter(({ allows }) => allows) : rules
  return [
    `${style(allowed ? 'good' : 'bad', allowed ? 'allowed:' : 'denied:')} ${plain(answer)}`,
    ...deciding.map(({ rule, place, because }) => plain(`  ${place} ${rule} ${because}`)),
    ...(note === undefined ? [] : [`  ${plain(note)}`]),
  ]
}

function connection(name: Question['name']): string {
  if (name === undefined) return 'any connection'
  return name.account === '' ? name.provider : `${name.provider} account "${name.account}"`
}
