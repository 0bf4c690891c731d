import { Refusal } from './errors.ts'

/** A request's parameters: the query's, the form's or the JSON body's. */
export type Parameters = Readonly<Record<string, unknown>>

/** A request to a dialect's server, before the dialect has read it. */
export interface DialectRequest {
  readonly method: string
  /** Lower-case names. */
  readonly headers: Readonly<Record<string, string | undefined>>
  readonly query: Parameters
  /** How the body was encoded; `other` is everything that cannot be read, `none` an absent body. */
  readonly encoding: 'form' | 'json' | 'other' | 'none'
  /** Empty unless the body could be read. */
  readonly body: Parameters
}

/**
 * Reads an optional parameter. An empty one counts as absent, and none may be repeated
 * (RFC 6749 section 3.1).
 *
 * @throws Refusal `invalid_request`
 */
export function optional(parameters: Parameters, name: string): string | undefined {
  const value = Object.hasOwn(parameters, name) ? parameters[name] : undefined
  if (value === undefined || value === '') return undefined
  if (typeof value !== 'string') throw new Refusal('invalid_request', `${name} must be one string`)
  return value
}

/** @throws Refusal `invalid_request` if it is absent, empty or repeated */
export function required(parameters: Parameters, name: string): string {
  const value = optional(parameters, name)
  if (value === undefined) throw new Refusal('invalid_request', `${name} is missing`)
  return value
}

/** Reads a list of scopes; absent = empty. Repetitions count once. */
export function scopes(parameters: Parameters, name: string, separator: RegExp): string[] {
  const list = (optional(parameters, name) ?? '').split(separator).filter(scope => scope !== '')
  return [...new Set(list)]
}

/** @throws Refusal `invalid_request` if the body is not what the endpoint reads */
export function requireEncoding(request: DialectRequest, wanted: 'form' | 'json'): void {
  if (request.encoding === wanted) return
  const type = wanted === 'form' ? 'application/x-www-form-urlencoded' : 'application/json'
  throw new Refusal('invalid_request', `the body must be ${type}`)
}

/** The two halves of HTTP Basic, as they are sent (RFC 7617); undefined if there is no such header. */
export function basicCredentials(request: DialectRequest): [string, string] | undefined {
  const encoded = /^Basic +([A-Za-z0-9+/]+={0,2})$/i.exec(request.headers.authorization ?? '')?.[1]
  if (encoded === undefined) return undefined
  const decoded = Buffer.from(encoded, 'base64').toString('utf8')
  const colon = decoded.indexOf(':')
  return colon < 0 ? undefined : [decoded.slice(0, colon), decoded.slice(colon + 1)]
}

/** The token of an `Authorization: Bearer` header (RFC 6750 section 2.1). */
export function bearerToken(request: DialectRequest): string | undefined {
  return /^Bearer +(\S+)$/i.exec(request.headers.authorization ?? '')?.[1]
}
