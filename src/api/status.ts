import { Metadata, type ServerErrorResponse, status } from '@grpc/grpc-js'
import { BrokerError, type ErrorDetails, type Reason } from '../broker/errors.ts'
import type { Log, LogFields } from '../broker/ports.ts'
import type { Any } from '../gen/google/protobuf/any.ts'
import { BadRequest, ErrorInfo, Help, RetryInfo } from '../gen/google/rpc/error_details.ts'
import { Status } from '../gen/google/rpc/status.ts'

/** `google.rpc.ErrorInfo.domain` of every error. */
const DOMAIN = 'tokenbroker'

/** What a status says that is nobody's `BrokerError`: a defect of the broker, and a call that took too long. */
type EdgeReason = 'INTERNAL' | 'DEADLINE_EXCEEDED'

const CODES: Readonly<Record<Reason | EdgeReason, status>> = {
  CALLER_UNAUTHENTICATED: status.UNAUTHENTICATED,
  ACCESS_DENIED: status.PERMISSION_DENIED,
  INVALID_REQUEST: status.INVALID_ARGUMENT,
  PROVIDER_NOT_FOUND: status.NOT_FOUND,
  CONSENT_REQUIRED: status.FAILED_PRECONDITION,
  REAUTH_REQUIRED: status.FAILED_PRECONDITION,
  SCOPE_NOT_GRANTED: status.FAILED_PRECONDITION,
  MIN_TTL_UNREACHABLE: status.FAILED_PRECONDITION,
  STATIC_TOKEN_REJECTED: status.FAILED_PRECONDITION,
  NO_REFRESH_TOKEN: status.FAILED_PRECONDITION,
  NO_NEXT_ROOT_KEY: status.FAILED_PRECONDITION,
  CONSENT_NOT_FOUND: status.NOT_FOUND,
  CONNECTION_EXISTS: status.ALREADY_EXISTS,
  PROVIDER_MISCONFIGURED: status.FAILED_PRECONDITION,
  CONNECTION_MISCONFIGURED: status.FAILED_PRECONDITION,
  PROVIDER_UNAVAILABLE: status.UNAVAILABLE,
  BROKER_UNAVAILABLE: status.UNAVAILABLE,
  RATE_LIMITED: status.RESOURCE_EXHAUSTED,
  UNREADABLE: status.DATA_LOSS,
  NOT_IMPLEMENTED: status.UNIMPLEMENTED,
  INTERNAL: status.INTERNAL,
  DEADLINE_EXCEEDED: status.DEADLINE_EXCEEDED,
}

/** Milliseconds to wait before a retry where the code promises a retry delay and the error names none. */
const RETRY_AFTER_MS_DEFAULT = 1_000

// Details travel as a header, base64 adds a third, and clients refuse headers beyond 8 KiB (grpc-java, C-core).
const DETAILS_BYTES_MAX = 4 * 1024
/** Characters of a message, of which there are two copies. */
const MESSAGE_CHARS_MAX = 500
/** Characters of every other text. */
const TEXT_CHARS_MAX = 250
/** Violations of one error; more would not fit. */
const VIOLATIONS_MAX = 10

/** How a call ends, as grpc-js takes it. */
export type CallStatus = ServerErrorResponse & {
  readonly code: status
  readonly details: string
  readonly metadata: Metadata
}

/**
 * Translates whatever ended a call into its status, and logs it: defects as errors, refusals for debugging.
 *
 * A `BrokerError` becomes its code, its sentence and its details. Anything else is `INTERNAL`, and nothing
 * of it leaves the process.
 */
export function reportFailure(error: unknown, log: Log, fields: LogFields): CallStatus {
  if (error instanceof BrokerError) {
    log.debug('Call refused', { ...fields, reason: error.reason })
    return createStatus(error.reason, error.message, error.details)
  }
  log.error('Call failed because of a defect', { ...fields, error })
  return createStatus('INTERNAL', 'the broker failed unexpectedly; its log says why')
}

/** The gRPC code of a reason, where an error is part of an answer. */
export function codeOf(reason: Reason): status {
  return CODES[reason]
}

/** The status of a call that the broker itself ended because it took too long. */
export function deadlineStatus(ms: number): CallStatus {
  return createStatus('DEADLINE_EXCEEDED', `the broker did not finish within ${ms / 1000} s`)
}

function createStatus(reason: Reason | EdgeReason, text: string, details: ErrorDetails = {}): CallStatus {
  const code = CODES[reason]
  const message = clip(text, MESSAGE_CHARS_MAX)
  const value = Status.encode({ code, message, details: fitting(describe(reason, code, details)) }).finish()
  const metadata = new Metadata()
  metadata.set('grpc-status-details-bin', Buffer.from(value))
  return { name: reason, message, code, details: message, metadata }
}

/** The details in the order of their importance. */
function describe(reason: string, code: status, details: ErrorDetails): Any[] {
  const { retryAfterMs = defaultRetryAfterMs(code), violations = [], help } = details
  const described = [any('ErrorInfo', ErrorInfo.encode({ reason, domain: DOMAIN, metadata: facts(details) }))]
  if (retryAfterMs !== undefined)
    described.push(any('RetryInfo', RetryInfo.encode({ retryDelay: duration(retryAfterMs) })))
  if (help !== undefined) {
    const links = [{ description: clip(help, TEXT_CHARS_MAX), url: '' }]
    described.push(any('Help', Help.encode({ links })))
  }
  if (violations.length > 0) {
    const fieldViolations = violations.slice(0, VIOLATIONS_MAX).map(({ field, description }) => ({
      field: clip(field, TEXT_CHARS_MAX),
      description: clip(description, TEXT_CHARS_MAX),
      reason: '',
      localizedMessage: undefined,
    }))
    described.push(any('BadRequest', BadRequest.encode({ fieldViolations })))
  }
  return described
}

/** As many of the details, from the first, as a client's header limit allows. */
function fitting(details: readonly Any[]): Any[] {
  let bytes = 0
  return details.filter(({ value }) => {
    bytes += value.byteLength
    return bytes <= DETAILS_BYTES_MAX
  })
}

/** The facts up to half of what fits, so that the reason, which they travel with, always does. */
function facts({ metadata = {} }: ErrorDetails): Record<string, string> {
  let bytes = 0
  const entries = Object.entries(metadata).map(([key, value]) => [key, clip(value, TEXT_CHARS_MAX)] as const)
  const fits = entries.filter(([key, value]) => {
    bytes += Buffer.byteLength(key) + Buffer.byteLength(value)
    return bytes <= DETAILS_BYTES_MAX / 2
  })
  return Object.fromEntries(fits)
}

function defaultRetryAfterMs(code: status): number | undefined {
  const retryable = code === status.UNAVAILABLE || code === status.RESOURCE_EXHAUSTED
  return retryable ? RETRY_AFTER_MS_DEFAULT : undefined
}

function duration(ms: number): { seconds: number; nanos: number } {
  const whole = Math.max(0, Math.ceil(ms))
  return { seconds: Math.floor(whole / 1000), nanos: (whole % 1000) * 1_000_000 }
}

function any(type: string, message: { finish(): Uint8Array }): Any {
  return { typeUrl: `type.googleapis.com/google.rpc.${type}`, value: Buffer.from(message.finish()) }
}

/** Also repairs half a surrogate pair, at which percent-encoding the status message would throw. */
function clip(text: string, charsMax: number): string {
  const clipped = text.length <= charsMax ? text : `${text.slice(0, charsMax - 1)}…`
  return clipped.toWellFormed()
}
