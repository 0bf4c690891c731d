import type { Metadata } from '@grpc/grpc-js'
import type { BrokerError } from '../broker/errors.ts'
import { type Authorization, accessDenied } from './authorization.ts'
import type { Caller } from './callers.ts'
import type { Gate } from './gate.ts'

/**
 * Judges whether the caller of one call may make it now: rules and tokens may change while it is answered.
 *
 * @returns the caller as it is known now; the same object as long as nothing has changed
 * @throws BrokerError `CALLER_UNAUTHENTICATED` if it is not known any more, `ACCESS_DENIED` if it may not, in the very
 *   words of a call that comes now
 */
export type Judge = () => Caller

/** What is judged. */
interface Judged {
  readonly metadata: Metadata
  /** The name by which rules know the method. */
  readonly method: string
  readonly allows: Authorization<unknown>
  readonly request: unknown
  /** What a caller that may not is told. Default: that it may not make the call. */
  readonly denied?: (caller: Caller) => BrokerError
}

/** Creates the judge of one call, which has passed the gate and whose request is there. */
export function createJudge(
  gate: Pick<Gate, 'callerNow'>,
  { metadata, method, allows, request, denied = caller => accessDenied(caller, method) }: Judged,
): Judge {
  let judged: Caller | undefined
  return () => {
    const caller = gate.callerNow(metadata)
    if (caller !== judged && !allows(caller.allow, method, request)) throw denied(caller)
    judged = caller
    return caller
  }
}
