import { BrokerError, type Reason } from '../broker/errors.ts'
import { isAllowed } from '../broker/policy/policy.ts'
import type { Log } from '../broker/ports.ts'
import type { Caller } from './callers.ts'
import { WATCHED_PER_STREAM_MAX } from './limits.ts'
import type { CallOrigin } from './origin.ts'
import { type CallStatus, reportFailure } from './status.ts'

/** Records refused calls; samples them, never waits, never throws. */
export interface DenialRecorder {
  recordDenial(denial: {
    readonly reason: string
    readonly method: string
    readonly caller?: Caller
    readonly origin?: CallOrigin
    readonly provider?: string
    readonly account?: string
  }): void
}

/** What is known of a call that ends with an error. */
export interface FailedCall {
  /** The full path. */
  readonly method: string
  /** Absent = it has not proven to be anybody. */
  readonly caller?: Caller
  readonly origin?: CallOrigin
  /** The decoded request, of which only the names of connections are looked at; absent = it was not read. */
  readonly request?: unknown
}

/** What a failure is reported to. */
export interface FailurePorts {
  readonly log: Log
  readonly denials: DenialRecorder
}

/** What says that somebody wanted more than it may. */
const DENIALS: readonly Reason[] = ['CALLER_UNAUTHENTICATED', 'ACCESS_DENIED', 'RATE_LIMITED']

/** Ends a call with an error: translated, logged with its request id, and a refusal recorded in the audit. */
export function reportCall(error: unknown, { log, denials }: FailurePorts, call: FailedCall): CallStatus {
  const { method, caller, origin = caller?.origin, request } = call
  const denial = denialIn(error)
  if (denial !== undefined) {
    const { reason } = denial
    const name = method.slice(method.lastIndexOf('/') + 1)
    const connections =
      denial === error ? connectionsOf(request, name, caller) : [connectionOf(denial.details.metadata)]
    for (const connection of connections) {
      denials.recordDenial({ reason, method: name, caller, origin, ...connection })
    }
  }
  const { requestId, peer } = origin ?? {}
  return reportFailure(error, log, { method, caller: caller?.name, peer, requestId })
}

/** The refusal that an error is, or that it hides from the caller: one that is `disguised`. */
function denialIn(error: unknown): BrokerError | undefined {
  if (!(error instanceof BrokerError)) return undefined
  if (DENIALS.includes(error.reason)) return error
  return error.reason === 'CONSENT_NOT_FOUND' ? denialIn(error.cause) : undefined
}

/** What was asked for, or of many those that the caller has no right to: one denial each, at least one. */
function connectionsOf(request: unknown, method: string, caller: Caller | undefined): MaybeConnection[] {
  const one = connectionOf(request)
  const { connections } = (request ?? {}) as { readonly connections?: unknown }
  if (caller === undefined || !Array.isArray(connections)) return [one]
  const denied = connections
    .slice(0, WATCHED_PER_STREAM_MAX)
    .map(connectionOf)
    .filter(({ provider = '', account = '' }) => !isAllowed(caller.allow, method, { provider, account }))
  return denied.length === 0 ? [one] : denied
}

interface MaybeConnection {
  readonly provider?: string
  readonly account?: string
}

function connectionOf(request: unknown): MaybeConnection {
  if (typeof request !== 'object' || request === null) return {}
  const { provider, account } = request as Record<string, unknown>
  if (typeof provider !== 'string' || provider === '') return {}
  return { provider, account: typeof account === 'string' ? account : '' }
}
