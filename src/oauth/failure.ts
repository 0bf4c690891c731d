import type { ErrorClass } from '../providers/definition.ts'
import type { Secret } from '../secret.ts'

/** Why an operation brought nothing, without any secret. */
export interface Failure {
  /** Whose fault it is. `retry` also stands for everything that says nothing about the grant. */
  readonly class: ErrorClass | 'not_sent'
  /** Whether the provider may have acted all the same: its answer was lost, unreadable, or a 5xx. */
  readonly outcomeUnknown: boolean
  /** The provider's own error code; empty if it sent none. */
  readonly providerCode: string
  /** A sentence for people. */
  readonly message: string
  /** How long the provider asks to wait. */
  readonly retryAfterMs?: number
  /** The next refresh token, where a success carried one and no usable access token: the old one may be dead. */
  readonly refreshToken?: Secret
}

/** The outcome of an operation. */
export type Result<T> =
  | { readonly ok: true; readonly value: T }
  | { readonly ok: false; readonly failure: Failure }

/** A success. */
export function success<T>(value: T): Result<T> {
  return { ok: true, value }
}

/** A failure. */
export function failed(failure: Failure): { readonly ok: false; readonly failure: Failure } {
  return { ok: false, failure }
}
