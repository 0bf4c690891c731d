import { altered, oddly } from './alter.ts'
import type { Answer, Dialect, Operation } from './dialect.ts'
import { Refusal } from './errors.ts'
import type { FaultRule } from './fault.ts'
import type { DialectRequest } from './request.ts'

/** What is put on the wire, and how. */
export interface Outgoing {
  /**
   * `whole`: as it is. `cut`: half of the body, then the connection breaks. `drip`: the body never ends.
   * `drop` and `reset`: no answer at all, the connection is closed or reset.
   */
  readonly manner: 'whole' | 'cut' | 'drip' | 'drop' | 'reset'
  readonly status: number
  readonly headers: Readonly<Record<string, string>>
  readonly body: string
}

/** The request that an answer belongs to. */
export interface Occasion {
  readonly dialect: Dialect
  readonly operation: Operation
  readonly request: DialectRequest
  /** Where a redirect leads that does not say where. */
  readonly elsewhere: string
}

const JSON_TYPE = 'application/json; charset=utf-8'
const HTML_TYPE = 'text/html; charset=utf-8'
const GATEWAY_PAGE =
  '<!doctype html><html><head><title>Bad Gateway</title></head><body>Bad Gateway</body></html>'
const NOTHING: Answer = { status: 200 }

/**
 * Turns the true answer into the one that a fault wants.
 *
 * @param truth absent if the fault kept the request from acting
 */
export function disturb(fault: FaultRule, truth: Answer = NOTHING, occasion: Occasion): Outgoing {
  const outgoing = whole(truth)
  switch (fault.answer) {
    case 'drop':
    case 'reset':
      return { ...whole(NOTHING), manner: fault.answer }
    case 'drip':
      return { ...whole(NOTHING), manner: 'drip', headers: { 'content-type': JSON_TYPE } }
    case 'cut_body':
      return { ...outgoing, manner: 'cut' }
    case 'truncated_json':
      return { ...outgoing, body: outgoing.body.slice(0, outgoing.body.length / 2) }
    case 'wrong_content_type':
      return { ...outgoing, headers: { ...outgoing.headers, 'content-type': 'text/plain' } }
    case 'huge':
      // Trailing white space keeps it valid JSON: only a limit can refuse it.
      return { ...outgoing, body: outgoing.body.padEnd(fault.bytes, ' ') }
    case 'canned':
      return {
        ...outgoing,
        status: fault.status,
        headers: { 'content-type': fault.contentType },
        body: fault.body,
      }
    default:
      return whole(substitute(fault, truth, occasion))
  }
}

function substitute(fault: FaultRule, truth: Answer, occasion: Occasion): Answer {
  const { dialect, elsewhere } = occasion
  switch (fault.answer) {
    case 'normal':
      return truth
    case 'empty':
      return NOTHING
    case 'no_content':
      return { status: 204 }
    case 'html':
      return { status: fault.status, html: GATEWAY_PAGE }
    case 'redirect':
      return { status: fault.status, headers: { location: fault.location ?? elsewhere } }
    case 'status':
      return {
        status: fault.status,
        headers: fault.retryAfter === undefined ? {} : { 'retry-after': fault.retryAfter },
        json: dialect.trouble(fault.status),
      }
    case 'invalid_grant':
    case 'invalid_client':
      return lie(fault.answer, occasion)
    case 'error_in_200':
      return { ...lie('invalid_grant', occasion), status: 200 }
    case 'altered':
      return altered(truth, fault, isTokenRequest(occasion.operation) ? dialect.tokenAnswer.root : undefined)
    default:
      return oddly(fault.answer, truth, dialect.tokenAnswer)
  }
}

function lie(code: 'invalid_grant' | 'invalid_client', { dialect, operation, request }: Occasion): Answer {
  return dialect.refuse(new Refusal(code, 'the sandbox was told to refuse this'), operation, request)
}

function isTokenRequest(operation: Operation): boolean {
  return operation === 'exchange' || operation === 'refresh'
}

/** An answer as it is when nothing goes wrong. */
export function whole({ status, headers = {}, json, html }: Answer): Outgoing {
  if (html !== undefined) {
    return { manner: 'whole', status, headers: { 'content-type': HTML_TYPE, ...headers }, body: html }
  }
  if (json === undefined) return { manner: 'whole', status, headers, body: '' }
  return {
    manner: 'whole',
    status,
    headers: { 'content-type': JSON_TYPE, ...headers },
    body: JSON.stringify(json),
  }
}
