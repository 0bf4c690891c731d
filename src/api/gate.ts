import {
  type Metadata,
  ServerInterceptingCall,
  type ServerInterceptingCallInterface,
  type ServerInterceptor,
  type ServerMethodDefinition,
} from '@grpc/grpc-js'
import { BrokerError } from '../broker/errors.ts'
import type { Clock, Log } from '../broker/ports.ts'
import type { Caller, Callers } from './callers.ts'
import { CALL_MS_DEFAULT, CALL_MS_MAX } from './limits.ts'
import { deadlineStatus, reportFailure } from './status.ts'

/** What every call passes before its handler, whichever service it is for. */
export interface Gate {
  /**
   * Ends a call at once, before its message is read, if its caller is unknown, and later if it takes too long.
   * Health needs no caller, so that probes need no secret.
   */
  readonly intercept: ServerInterceptor
  /** The caller of an admitted call, by the very metadata object that its handler got. */
  callerOf(metadata: Metadata): Caller
  /**
   * The same caller as it is known now: a stream outlives its caller's token.
   *
   * @throws BrokerError `CALLER_UNAUTHENTICATED` if it is not known any more
   */
  callerNow(metadata: Metadata): Caller
  /** Ends open streams, which would never end by themselves, with `BROKER_UNAVAILABLE`. Unary calls go on. */
  endStreams(): void
}

/** What {@link createGate} needs. */
export interface GateOptions {
  readonly callers: Callers
  readonly clock: Pick<Clock, 'schedule'>
  readonly log: Log
}

/** What an admitted call tells who watches over it. */
interface Supervision {
  /** The request is there, whole. */
  readonly requested: () => void
  readonly ended: () => void
}

type Method = ServerMethodDefinition<unknown, unknown>

/** Milliseconds after which another broker may answer where this one stops. */
const RETRY_ELSEWHERE_MS = 1_000

/** Creates the gate. */
export function createGate({ callers, clock, log }: GateOptions): Gate {
  const admitted = new WeakMap<Metadata, Caller>()
  const streams = new Set<ServerInterceptingCallInterface>()

  function admit(method: Method, metadata: Metadata): void {
    if (isHealth(method)) return
    admitted.set(metadata, callers.authenticate(metadata.get('authorization')))
  }

  /** Watches over an admitted call. */
  function supervise(method: Method, call: ServerInterceptingCallInterface): Supervision {
    if (!method.responseStream) {
      const cancel = endInTime(call, clock)
      return { requested: () => {}, ended: cancel }
    }
    // A stream may last, but not the wait for its one request.
    const cancel = method.requestStream ? () => {} : endInTime(call, clock)
    streams.add(call)
    return {
      requested: cancel,
      ended() {
        cancel()
        streams.delete(call)
      },
    }
  }

  return {
    intercept(method: Method, call) {
      let supervision: Supervision | undefined
      return new ServerInterceptingCall(call, {
        start: next =>
          next({
            onReceiveMetadata(metadata, pass) {
              try {
                admit(method, metadata)
              } catch (error) {
                call.sendStatus(reportFailure(error, log, { method: method.path, peer: call.getPeer() }))
                return
              }
              supervision = supervise(method, call)
              pass(metadata)
            },
            onReceiveHalfClose(pass) {
              supervision?.requested()
              pass()
            },
            // grpc-js says so at the end of every call, cancelled or not.
            onCancel: () => supervision?.ended(),
          }),
      })
    },
    callerNow: metadata => callers.authenticate(metadata.get('authorization')),
    callerOf(metadata) {
      const caller = admitted.get(metadata)
      if (caller === undefined) throw new Error('the call has not passed the gate')
      return caller
    },
    endStreams() {
      for (const stream of streams) stream.sendStatus(reportFailure(draining(), log, {}))
    },
  }
}

function isHealth({ path }: Method): boolean {
  return path.startsWith('/grpc.health.v1.Health/')
}

/** Ends a call that has no deadline, or one too far away. grpc-js ends it at the client's deadline by itself. */
function endInTime(call: ServerInterceptingCallInterface, clock: GateOptions['clock']): () => void {
  const limitMs = call.getDeadline() === Number.POSITIVE_INFINITY ? CALL_MS_DEFAULT : CALL_MS_MAX
  return clock.schedule(limitMs, () => call.sendStatus(deadlineStatus(limitMs)))
}

function draining(): BrokerError {
  return new BrokerError('BROKER_UNAVAILABLE', 'the broker is stopping; try again, another one may answer', {
    retryAfterMs: RETRY_ELSEWHERE_MS,
  })
}
