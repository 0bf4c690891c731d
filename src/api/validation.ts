import { type FieldViolation, invalidRequest } from '../broker/errors.ts'
import type { Duration } from '../gen/google/protobuf/duration.ts'

/** What is wrong with a field and what would be right; `undefined` if nothing is. */
type Fault = string | undefined

/** Bytes of an account, a subject or a variable's value. */
const NAME_BYTES_MAX = 256
/** Scopes in one request: more than any provider defines for one grant. */
const SCOPES_MAX = 100
const SCOPE_CHARS_MAX = 256
/** Variables in one request. Definitions have one or two. */
const VARIABLES_MAX = 16
/** Characters of opaque ids that the broker itself hands out: versions, consent ids. */
const OPAQUE_CHARS_MAX = 64
/** Characters of a page token, which holds an encoded name. */
const PAGE_TOKEN_CHARS_MAX = 1_024
/** Seconds for which a token can be asked to live: no provider's answer can be planned further ahead. */
const MIN_TTL_SECONDS_MAX = 24 * 60 * 60

/** Characters of a token; the largest seen in the field are a few KiB. */
const TOKEN_CHARS_MAX = 16 * 1024
/** Attributes in one request, and bytes of the value of each. Definitions have one or two. */
const ATTRIBUTES_MAX = 16
const ATTRIBUTE_BYTES_MAX = 1_024

const PROVIDER = /^[a-z][a-z0-9-]{0,62}$/
const VARIABLE_NAME = /^[a-z][a-z0-9_]{0,62}$/
/** RFC 6749 appendix A.12; a token with a space or a line break in it was pasted wrongly. */
const TOKEN = /^[\x21-\x7e]+$/
const EVENT = /^[A-Z][A-Z_]{0,62}$/
const OPAQUE = /^[A-Za-z0-9_-]+$/
/** RFC 6749 section 3.3: `scope-token`. */
const SCOPE = /^[\x21\x23-\x5b\x5d-\x7e]+$/

/**
 * Refuses a request with all of its faults at once.
 *
 * @param faults by the field's name as the `.proto` file spells it
 * @throws BrokerError `INVALID_REQUEST`
 */
export function refuseFaults(faults: Readonly<Record<string, Fault>>): void {
  const violations: FieldViolation[] = []
  for (const [field, description] of Object.entries(faults))
    if (description !== undefined) violations.push({ field, description })
  if (violations.length > 0) throw invalidRequest(violations)
}

/** The two fields that name a connection. */
export function connectionFaults(name: { readonly provider: string; readonly account: string }): {
  readonly provider: Fault
  readonly account: Fault
} {
  return { provider: providerFault(name.provider), account: nameFault(name.account) }
}

/** A provider's id, or a return URL's, which looks the same. */
export function providerFault(id: string): Fault {
  return PROVIDER.test(id)
    ? undefined
    : 'must be 1 to 63 of a-z, 0-9 and "-", beginning with a letter, as in the configuration'
}

/** An account or a subject: a free text that two writers must not be able to spell in two ways. */
export function nameFault(name: string): Fault {
  if (Buffer.byteLength(name) > NAME_BYTES_MAX) return `must not be longer than ${NAME_BYTES_MAX} bytes`
  // Decoders put U+FFFD in the place of invalid bytes, so different bytes would become the same name.
  if (name.includes('\ufffd') || !name.isWellFormed()) return 'must be valid UTF-8 without U+FFFD'
  if (/\p{Cc}/u.test(name)) return 'must not contain control characters'
  if (name !== name.normalize('NFC')) return 'must be in Unicode normalization form C (NFC)'
  return undefined
}

/** How long a token must live; absence is fine. */
export function minTtlFault(minTtl: Duration | undefined): Fault {
  if (minTtl === undefined) return undefined
  const { seconds, nanos } = minTtl
  const negative = seconds < 0 || nanos < 0
  const tooLong = seconds > MIN_TTL_SECONDS_MAX || (seconds === MIN_TTL_SECONDS_MAX && nanos > 0)
  if (negative || tooLong) return 'must be from 0 to 24 hours'
  return nanos > 999_999_999 ? 'must have less than a second in its nanos' : undefined
}

/** An id that the broker has handed out, such as a version; empty means none. */
export function opaqueFault(id: string): Fault {
  if (id === '' || (id.length <= OPAQUE_CHARS_MAX && OPAQUE.test(id))) return undefined
  return `must be as the broker has sent it: at most ${OPAQUE_CHARS_MAX} of A-Z, a-z, 0-9, "-" and "_"`
}

/** A required {@link opaqueFault}. */
export function requiredOpaqueFault(id: string): Fault {
  return id === '' ? 'must be set' : opaqueFault(id)
}

/** Scopes, each a token of RFC 6749 section 3.3. */
export function scopesFault(scopes: readonly string[]): Fault {
  if (scopes.length > SCOPES_MAX) return `must not be more than ${SCOPES_MAX}`
  const index = scopes.findIndex(scope => scope.length > SCOPE_CHARS_MAX || !SCOPE.test(scope))
  if (index < 0) return undefined
  const right = `1 to ${SCOPE_CHARS_MAX} visible ASCII characters without quotes and backslashes`
  return `must be ${right} each; number ${index + 1} is not`
}

/** Values of a definition's variables; whether the definition has them is the broker's to judge. */
export function variablesFault(variables: Readonly<Record<string, string>>): Fault {
  const entries = Object.entries(variables)
  if (entries.length > VARIABLES_MAX) return `must not be more than ${VARIABLES_MAX}`
  if (!entries.every(([name]) => VARIABLE_NAME.test(name)))
    return 'must have names of 1 to 63 of a-z, 0-9 and "_", beginning with a letter'
  return entries.map(([, value]) => nameFault(value)).find(fault => fault !== undefined)
}

/** Attributes of a connection; whether the definition knows them is the broker's to judge. */
export function attributesFault(attributes: Readonly<Record<string, string>>): Fault {
  const entries = Object.entries(attributes)
  if (entries.length > ATTRIBUTES_MAX) return `must not be more than ${ATTRIBUTES_MAX}`
  if (!entries.every(([name]) => VARIABLE_NAME.test(name)))
    return 'must have names of 1 to 63 of a-z, 0-9 and "_", beginning with a letter'
  const tooLong = entries.some(([, value]) => Buffer.byteLength(value) > ATTRIBUTE_BYTES_MAX)
  return tooLong ? `must not have values longer than ${ATTRIBUTE_BYTES_MAX} bytes` : undefined
}

/** A token. The fault never quotes it. */
export function tokenFault(token: string): Fault {
  return token.length <= TOKEN_CHARS_MAX && TOKEN.test(token)
    ? undefined
    : `must be 1 to ${TOKEN_CHARS_MAX} visible ASCII characters, without spaces and line breaks`
}

/** A time; absence is fine. One that no calendar has becomes no date at all. */
export function timeFault(time: Date | undefined): Fault {
  return time === undefined || Number.isSafeInteger(time.getTime())
    ? undefined
    : 'must be a time of our calendar'
}

/** What can be the name of an event of the audit; whether there is such an event is the broker's to judge. */
export function auditEventFault(event: string): Fault {
  return EVENT.test(event) ? undefined : 'must be the name of an event, such as TOKEN_RELEASED'
}

/** A page size; 0 and too much are fine. */
export function pageSizeFault(pageSize: number): Fault {
  return pageSize < 0 ? 'must not be negative' : undefined
}

/** A page token; whether it is one of ours is the broker's to judge. */
export function pageTokenFault(pageToken: string): Fault {
  return pageToken.length > PAGE_TOKEN_CHARS_MAX ? 'must be as the broker has sent it' : undefined
}

/** A number that must be one of an enum's. */
export function enumFault(value: number, known: Readonly<Record<string, number>>): Fault {
  return Object.values(known).includes(value) ? undefined : 'must be one of the values of its enum'
}
