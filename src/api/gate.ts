import {
  type Metadata,
  ServerInterceptingCall,
  type ServerInterceptingCallInterface,
  type ServerInterceptor,
  type ServerMethodDefinition,
} from '@grpc/grpc-js'
import { BrokerError } from '../broker/errors.ts'
import type { Clock, Log } from '../broker/ports.ts'
import type { CallLimit } from './call-limit.ts'
import type { Caller, Callers, Proof } from './callers.ts'
import { CALL_MS_DEFAULT, CALL_MS_MAX } from './limits.ts'
import type { Endpoints, NewestConnections } from './newest-connections.ts'
import type { OpenStreams } from './open-streams.ts'
import { type CallOrigin, originOf } from './origin.ts'
import { peerIdentity } from './peer-identity.ts'
import { type DenialRecorder, reportCall } from './refusals.ts'
import type { SharedConnections } from './shared-connections.ts'
import { deadlineStatus, reportFailure } from './status.ts'
import { unauthenticated } from './unauthenticated.ts'

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
   * The same caller as it is known now: a stream outlives its caller's token, and a request may come long after
   * the headers by which its call was admitted. The same object as long as nothing has changed.
   *
   * @throws BrokerError `CALLER_UNAUTHENTICATED` if it is not known any more, or under another name
   */
  callerNow(metadata: Metadata): Caller
  /** The connection by which an admitted call came. */
  endpointsOf(metadata: Metadata): Endpoints
  /** Ends open streams, which would never end by themselves, with `BROKER_UNAVAILABLE`. Unary calls go on. */
  endStreams(): void
}

/** What {@link createGate} needs. */
export interface GateOptions {
  readonly callers: Callers
  readonly calls: CallLimit
  readonly connections: Pick<NewestConnections, 'noteCall'>
  readonly openStreams: OpenStreams
  readonly shared: SharedConnections
  readonly clock: Pick<Clock, 'schedule'>
  readonly log: Log
  readonly denials: DenialRecorder
}

/** What an admitted call tells who watches over it. */
interface Supervision {
  /** The request is there, whole. */
  readonly requested: () => void
  readonly ended: () => void
}

/** Who made a call, and by what it was known. */
interface Admission {
  readonly proof: Proof
  readonly endpoints: Endpoints
  /** As the directory of callers last had it. */
  known: Caller
  /** The same with the call's origin. */
  caller: Caller
}

type Method = ServerMethodDefinition<unknown, unknown>

/** Milliseconds after which another broker may answer where this one stops. */
const RETRY_ELSEWHERE_MS = 1_000

/** Creates the gate. */
export function createGate(options: GateOptions): Gate {
  const { callers, calls, connections, openStreams, shared, clock, log } = options
  const admitted = new WeakMap<Metadata, Admission>()
  const streams = new Set<ServerInterceptingCallInterface>()

  /** Only what has to be checked for the first time takes time. */
  function admit(
    call: ServerInterceptingCallInterface,
    metadata: Metadata,
    origin: CallOrigin,
  ): void | Promise<void> {
    const proof = callers.authenticate({
      authorization: metadata.get('authorization'),
      peer: () => peerIdentity(call.getAuthContext().sslPeerCertificate),
    })
    const enter = (proof: Proof) => {
      const known = callers.identify(proof)
      const endpoints = call.getConnectionInfo()
      connections.noteCall(endpoints, 'caller')
      admitted.set(metadata, { proof, endpoints, known, caller: { ...known, origin } })
      calls.admit(known)
    }
    return proof instanceof Promise ? proof.then(enter) : enter(proof)
  }

  function admissionOf(metadata: Metadata): Admission {
    const admission = admitted.get(metadata)
    if (admission === undefined) throw new Error('the call has not passed the gate')
    return admission
  }

  function callerNow(metadata: Metadata): Caller {
    const admission = admissionOf(metadata)
    const { proof, known, caller } = admission
    const now = callers.identify(proof)
    if (now === known) return caller
    // What the call was given is recorded under the name that it began with.
    if (now.name !== known.name) {
      throw unauthenticated('what this call began with is another caller now: begin it anew')
    }
    admission.known = now
    admission.caller = { ...now, origin: caller.origin }
    return admission.caller
  }

  /** Watches over an admitted call. */
  function supervise(method: Method, call: ServerInterceptingCallInterface, metadata: Metadata): Supervision {
    if (!method.responseStream) {
      const cancel = endInTime(call, clock)
      return { requested: () => {}, ended: cancel }
    }
    const leave = method.requestStream || isHealth(method) ? joinForeign(method, call, metadata) : () => {}
    // A stream may last, but not the wait for its one request.
    const cancel = method.requestStream ? () => {} : endInTime(call, clock)
    streams.add(call)
    return {
      requested: cancel,
      ended() {
        cancel()
        leave()
        streams.delete(call)
      },
    }
  }

  /** Streams of our own services are counted by their caller too and judge more than who calls; health has no caller. */
  function joinForeign(
    method: Method,
    call: ServerInterceptingCallInterface,
    metadata: Metadata,
  ): () => void {
    const leaveConnection = shared.enter(call.getConnectionInfo())
    if (isHealth(method)) return leaveConnection
    const leave = openStreams.add(() => endIfUnknown(method, call, metadata))
    return () => {
      leave()
      leaveConnection()
    }
  }

  function endIfUnknown(method: Method, call: ServerInterceptingCallInterface, metadata: Metadata): void {
    const { proof, caller } = admissionOf(metadata)
    try {
      callers.identify(proof)
    } catch (error) {
      call.sendStatus(reportCall(error, options, { method: method.path, caller }))
    }
  }

  return {
    intercept(method: Method, call) {
      let supervision: Supervision | undefined
      let hasEnded = false
      let origin: CallOrigin | undefined
      const refuse = (error: unknown, metadata: Metadata) => {
        if (hasEnded) return
        const caller = admitted.get(metadata)?.caller
        call.sendStatus(reportCall(error, options, { method: method.path, caller, origin }))
      }
      const enter = (metadata: Metadata, pass: () => void) => {
        if (hasEnded) return
        if (isHealth(method)) connections.noteCall(call.getConnectionInfo(), 'probe')
        supervision = supervise(method, call, metadata)
        pass()
      }
      return new ServerInterceptingCall(call, {
        start: next =>
          next({
            onReceiveMetadata(metadata, pass) {
              try {
                origin = originOf(metadata, call.getConnectionInfo())
                const admission = isHealth(method) ? undefined : admit(call, metadata, origin)
                const goOn = () => enter(metadata, () => pass(metadata))
                if (admission === undefined) goOn()
                else admission.then(goOn).catch(error => refuse(error, metadata))
              } catch (error) {
                refuse(error, metadata)
              }
            },
            onReceiveHalfClose(pass) {
              supervision?.requested()
              pass()
            },
            // grpc-js says so at the end of every call, cancelled or not.
            onCancel() {
              hasEnded = true
              supervision?.ended()
            },
          }),
      })
    },
    callerNow,
    callerOf: metadata => admissionOf(metadata).caller,
    endpointsOf: metadata => admissionOf(metadata).endpoints,
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
