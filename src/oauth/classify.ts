import type { HttpResponse } from '../egress/http.ts'
import type { Definition, ErrorClass, ErrorRule, OperationName } from '../providers/definition.ts'
import type { Secret } from '../secret.ts'
import type { Failure } from './failure.ts'
import { readBody, valueAt } from './json.ts'
import { retryAfter } from './retry-after.ts'

/** Longest provider code that is kept. */
const CODE_LENGTH_MAX = 64

/** RFC 6749 section 5.2, OpenID Connect Core section 3.1.2.6, and RFC 8628's `slow_down`. */
const STANDARD: Readonly<Record<string, ErrorClass>> = {
  invalid_grant: 'reauthorize',
  interaction_required: 'reauthorize',
  login_required: 'reauthorize',
  consent_required: 'reauthorize',
  account_selection_required: 'reauthorize',
  invalid_client: 'client',
  unauthorized_client: 'client',
  invalid_scope: 'connection',
  invalid_request: 'connection',
  unsupported_grant_type: 'connection',
  unsupported_token_type: 'unsupported',
  temporarily_unavailable: 'retry',
  server_error: 'retry',
  slow_down: 'rate_limited',
}

/**
 * Says whose fault a refusal is. The status comes first: a 5xx is never a verdict, whatever its body says,
 * because a gateway can answer it after the server has acted. Then the definition's rules in their order,
 * then the standard's table.
 *
 * @param sent what the request held that must not come back as the provider's code; default: nothing
 */
export function classify(
  definition: Definition,
  operation: OperationName,
  response: HttpResponse,
  now: number,
  sent: readonly Secret[] = [],
): Failure {
  const body = readBody(response.body)
  const answered = codeOf(definition, operation, body)
  const code = sent.some(secret => answered.includes(secret.expose())) ? '' : answered
  const verdict = verdictOf(definition, operation, response.status, body)
  return {
    ...verdict,
    providerCode: code,
    message: `the provider answered ${response.status}${code && ` (${code})`}`,
    retryAfterMs: retryAfter(response.headers['retry-after'], now),
  }
}

function verdictOf(
  definition: Definition,
  operation: OperationName,
  status: number,
  body: unknown,
): Pick<Failure, 'class' | 'outcomeUnknown'> {
  if (status >= 500) return { class: 'retry', outcomeUnknown: true }
  const rule = definition.errors.find(candidate => applies(candidate, operation, status, body))
  if (rule !== undefined) return { class: rule.class, outcomeUnknown: false }
  return operation === 'verify' ? verifyVerdict(status) : standardVerdict(status, body)
}

/** RFC 6750 section 3.1: 401 is about the token, 403 about its scopes. */
function verifyVerdict(status: number): Pick<Failure, 'class' | 'outcomeUnknown'> {
  if (status === 401) return { class: 'reauthorize', outcomeUnknown: false }
  if (status === 403) return { class: 'unsupported', outcomeUnknown: false }
  return { class: status === 429 ? 'rate_limited' : 'retry', outcomeUnknown: false }
}

function standardVerdict(status: number, body: unknown): Pick<Failure, 'class' | 'outcomeUnknown'> {
  if (status === 429) return { class: 'rate_limited', outcomeUnknown: false }
  const error = valueAt(body, '/error')
  const known = typeof error === 'string' && Object.hasOwn(STANDARD, error) ? STANDARD[error] : undefined
  if (known !== undefined) return { class: known, outcomeUnknown: false }
  // A success that cannot be read may have rotated the refresh token.
  if (status < 300) return { class: 'retry', outcomeUnknown: typeof error !== 'string' }
  // A redirect, a wrong path or an unexplained 401 is about how we ask, not about this grant.
  if (status < 400 || status === 401 || status === 404) return { class: 'client', outcomeUnknown: false }
  return { class: 'retry', outcomeUnknown: false }
}

function applies(rule: ErrorRule, operation: OperationName, status: number, body: unknown): boolean {
  if (rule.operation !== undefined && ![rule.operation].flat().includes(operation)) return false
  if (rule.http !== undefined && ![rule.http].flat().includes(status)) return false
  if (rule.at === undefined) return true
  const value = valueAt(body, rule.at)
  if (rule.absent !== undefined && (value === undefined) !== rule.absent) return false
  if (rule.equals !== undefined && value !== rule.equals) return false
  if (rule.in !== undefined && !rule.in.some(candidate => candidate === value)) return false
  if (rule.range !== undefined && !inRange(value, rule.range)) return false
  if (rule.matches !== undefined && !(typeof value === 'string' && new RegExp(rule.matches).test(value))) {
    return false
  }
  return true
}

function inRange(value: unknown, [low, high]: readonly [number, number]): boolean {
  return typeof value === 'number' && value >= low && value <= high
}

/** The code that the definition's rules look at, or the standard's; only if it looks like a code. */
function codeOf(definition: Definition, operation: OperationName, body: unknown): string {
  const pointers = definition.errors
    .filter(rule => rule.operation === undefined || [rule.operation].flat().includes(operation))
    .flatMap(rule => rule.at ?? [])
  for (const pointer of [...pointers, '/error']) {
    const code = valueAt(body, pointer)
    if (typeof code === 'number') return String(code)
    if (typeof code === 'string' && code.length <= CODE_LENGTH_MAX && /^[\w.:-]+$/.test(code)) return code
  }
  return ''
}
