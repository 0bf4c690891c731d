import { type handleServerStreamingCall, Metadata } from '@grpc/grpc-js'
import type { ConnectionName } from '../broker/broker.ts'
import { isAllowed, isAllowedAnywhere } from '../broker/policy/policy.ts'
import { type Authorization, accessDenied, rightLost } from './authorization.ts'
import type { Caller } from './callers.ts'
import { type AnyMethod, decode, type Edge, nameOf } from './edge.ts'
import { createJudge } from './judge.ts'
import { reportCall } from './refusals.ts'

/** One authenticated stream. */
interface StreamCall {
  readonly caller: Caller
  /** Aborts when the client cancels, or when the stream ends otherwise. */
  readonly signal: AbortSignal
  /**
   * Whether the caller may see a connection now: rules and tokens may change while a stream is open.
   *
   * @throws BrokerError `CALLER_UNAUTHENTICATED` if the caller is not known any more, `ACCESS_DENIED` if it may
   *   not call the method for any connection
   */
  readonly permits: (name: ConnectionName) => boolean
  /** The same for a stream that ends with the right to one connection: throws `ACCESS_DENIED` for that too. */
  readonly authorize: (name: ConnectionName) => void
}

/** How one streaming RPC is answered. Created by {@link stream}. */
export interface StreamProcedure<Request, Message> {
  readonly allows: Authorization<Request>
  readonly open: (request: Request, call: StreamCall) => Opened<Message>
}

/** A stream whose request was found right. */
interface Opened<Message> {
  /** For how many connections it counts in its caller's limit. */
  readonly weight: number
  readonly names: readonly ConnectionName[]
  readonly messages: AsyncIterable<Message>
}

/** The steps of a streaming RPC, in their order. Each of them may throw a `BrokerError`. */
export interface StreamSteps<Request, Input, Message> {
  readonly allows: Authorization<Request>
  /** Validates the request and translates it into the broker's words. */
  readonly parse: (request: Request) => Input
  readonly weight: (input: Input) => number
  /** The connections that the caller has named: it ends with the right to any. Absent = none. */
  readonly names?: (input: Input) => readonly ConnectionName[]
  /** The messages; they end when the signal aborts, and asking for one must not cost what is not sent. */
  readonly run: (input: Input, call: StreamCall) => AsyncIterable<Message>
}

/** A streaming RPC: authorized first, then validated, then counted, then run. */
export function stream<Request, Input, Message>({
  allows,
  parse,
  weight,
  names = () => [],
  run,
}: StreamSteps<Request, Input, Message>): StreamProcedure<Request, Message> {
  return {
    allows,
    open(request, call) {
      const input = parse(request)
      return { weight: weight(input), names: names(input), messages: run(input, call) }
    },
  }
}

type Handler = handleServerStreamingCall<Buffer, Buffer>
type Call = Parameters<Handler>[0]

/** Makes a streaming RPC a handler of grpc-js, as `addService` does for the others. */
export function streamHandler(
  method: AnyMethod,
  procedure: StreamProcedure<unknown, unknown>,
  edge: Edge,
): Handler {
  return call => {
    const end = new AbortController()
    // grpc-js says so at the end of every stream, also of one that the gate has ended.
    call.on('cancelled', () => end.abort())
    let hasFailed = false
    const fail = (error: unknown) => {
      if (hasFailed) return
      hasFailed = true
      const caller = edge.gate.callerOf(call.metadata)
      const failure = reportCall(error, edge, {
        method: method.path,
        caller,
        request: readable(method, call),
      })
      if (!end.signal.aborted) call.emit('error', failure)
      end.abort()
    }
    serve(method, procedure, edge, call, { signal: end.signal, fail })
      .then(() => {
        if (!hasFailed) call.end()
      }, fail)
      .finally(() => end.abort())
  }
}

/** For the record of a refusal; undefined if it cannot be read, which is told elsewhere. */
function readable(method: AnyMethod, call: Call): unknown {
  try {
    return decode(method, call.request)
  } catch {
    return undefined
  }
}

/** How a stream ends. */
interface End {
  readonly signal: AbortSignal
  /** Ends it with an error, also while it waits for its next message. */
  readonly fail: (error: unknown) => void
}

async function serve(
  method: AnyMethod,
  procedure: StreamProcedure<unknown, unknown>,
  edge: Edge,
  call: Call,
  { signal, fail }: End,
): Promise<void> {
  const { gate, openStreams } = edge
  const name = nameOf(method)
  const request = decode(method, call.request)
  const { allows } = procedure
  let names: readonly ConnectionName[] = []
  const denied = (caller: Caller) => {
    const lost = names.find(connection => !isAllowed(caller.allow, name, connection))
    return lost === undefined ? accessDenied(caller, name) : rightLost(caller, name, lost)
  }
  const judge = createJudge(gate, { metadata: call.metadata, method: name, allows, request, denied })
  const caller = judge()
  const permits = (connection: ConnectionName) => {
    const { allow } = gate.callerNow(call.metadata)
    if (!isAllowedAnywhere(allow, name)) throw accessDenied(caller, name)
    return isAllowed(allow, name, connection)
  }
  const authorize = (connection: ConnectionName) => {
    const now = gate.callerNow(call.metadata)
    if (!isAllowed(now.allow, name, connection)) throw rightLost(now, name, connection)
  }
  const { weight, messages, ...opened } = procedure.open(request, { caller, signal, permits, authorize })
  names = opened.names
  const leave = count(edge, call, caller, weight)
  // For a stream that has nothing to say for a long time.
  const leaveOpen = openStreams.add(() => {
    try {
      judge()
    } catch (error) {
      fail(error)
    }
  })
  try {
    // The headers tell the client that the stream is open; the first message may be long in coming.
    call.sendMetadata(new Metadata())
    for await (const message of messages) {
      await write(call, method.responseSerialize(message), signal)
      if (signal.aborted) return
    }
  } finally {
    leaveOpen()
    leave()
  }
}

/** Counts a stream for its caller and for its connection until the returned function is called. */
function count(
  { gate, watches, shared }: Edge,
  { metadata }: Call,
  { name }: Caller,
  weight: number,
): () => void {
  const leaveCaller = watches.enter(name, weight)
  try {
    const leaveConnection = shared.enter(gate.endpointsOf(metadata))
    return () => {
      leaveConnection()
      leaveCaller()
    }
  } catch (error) {
    leaveCaller()
    throw error
  }
}

/**
 * Resolves when the message has left this process's queues, or the stream has ended: grpc-js then never calls
 * back. One message at a time, so that a slow reader is overtaken here and not in a buffer.
 */
function write(call: Call, bytes: Buffer, signal: AbortSignal): Promise<void> {
  return new Promise(resolve => {
    const done = () => {
      signal.removeEventListener('abort', done)
      resolve()
    }
    signal.addEventListener('abort', done)
    call.write(bytes, done)
    if (signal.aborted) done()
  })
}
