/**
 * The closed set of reasons for which the broker cannot do what was asked.
 * Each maps to one gRPC status code in `api/status.ts`.
 */
export type Reason =
  | 'CALLER_UNAUTHENTICATED'
  | 'ACCESS_DENIED'
  | 'INVALID_REQUEST'
  | 'PROVIDER_NOT_FOUND'
  | 'CONSENT_REQUIRED'
  | 'REAUTH_REQUIRED'
  | 'SCOPE_NOT_GRANTED'
  | 'MIN_TTL_UNREACHABLE'
  | 'STATIC_TOKEN_REJECTED'
  | 'NO_REFRESH_TOKEN'
  | 'NO_NEXT_ROOT_KEY'
  | 'CONSENT_NOT_FOUND'
  | 'CONNECTION_EXISTS'
  | 'PROVIDER_MISCONFIGURED'
  | 'CONNECTION_MISCONFIGURED'
  | 'PROVIDER_UNAVAILABLE'
  | 'BROKER_UNAVAILABLE'
  | 'RATE_LIMITED'
  | 'UNREADABLE'
  | 'NOT_IMPLEMENTED'

/** One malformed field of a request (`google.rpc.BadRequest.FieldViolation`). */
export interface FieldViolation {
  /** The field's name as the `.proto` file spells it. */
  readonly field: string
  /** What is wrong and what would be right. */
  readonly description: string
}

/** What an error carries beside its sentence. Nothing here is secret. */
export interface ErrorDetails {
  /** Machine-readable facts that the sentence mentions (`google.rpc.ErrorInfo.metadata`). */
  readonly metadata?: Readonly<Record<string, string>>
  /** Milliseconds after which a retry may help. Absence means that a retry does not help. */
  readonly retryAfterMs?: number
  /** What a human has to do, as a sentence (`google.rpc.Help`). */
  readonly help?: string
  readonly violations?: readonly FieldViolation[]
  readonly cause?: unknown
}

/** Why the broker cannot do what was asked: a closed reason, and a sentence that says what to do next. */
export class BrokerError extends Error {
  readonly reason: Reason
  readonly details: Omit<ErrorDetails, 'cause'>

  constructor(reason: Reason, message: string, { cause, ...details }: ErrorDetails = {}) {
    super(message, cause === undefined ? undefined : { cause })
    this.name = 'BrokerError'
    this.reason = reason
    this.details = details
  }
}

/** A malformed request: one violation per field. */
export function invalidRequest(violations: readonly FieldViolation[]): BrokerError {
  const message = violations.map(v => `${v.field}: ${v.description}`).join('; ')
  return new BrokerError('INVALID_REQUEST', message, { violations })
}
