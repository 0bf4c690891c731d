import type { handleUnaryCall, MethodDefinition, Server, UntypedServiceImplementation } from '@grpc/grpc-js'
import type { Authorization } from './authorization.ts'
import type { Caller } from './callers.ts'
import { type AnyMethod, decode, type Edge, nameOf } from './edge.ts'
import { createJudge, type Judge } from './judge.ts'
import { reportCall } from './refusals.ts'
import type { CallStatus } from './status.ts'
import { type StreamProcedure, streamHandler } from './stream.ts'

/** One authenticated call. */
interface Call {
  readonly caller: Caller
  /** Aborts when the client cancels, or when the client's or the server's deadline passes. */
  readonly signal: AbortSignal
  /** Judges the call again. */
  readonly judge: Judge
}

/** How one unary RPC is answered. Created by {@link rpc}. */
export interface Procedure<Request, Response> {
  readonly allows: Authorization<Request>
  readonly answer: (request: Request, call: Call) => Promise<Response>
}

/** The steps of an RPC, in their order. Each of them may throw a `BrokerError`. */
export interface RpcSteps<Request, Input, Response> {
  readonly allows: Authorization<Request>
  /** Validates the request and translates it into the broker's words. */
  readonly parse: (request: Request) => Input
  readonly run: (input: Input, call: Call) => Promise<Response>
  /**
   * What may take long, and tells of a connection, is only for who has the right to it when it is told, too; so is why
   * it failed. Default: the right at the call's arrival counts, for what it has done since is done.
   */
  readonly judgedAgain?: true
}

/** An RPC: authorized first, then validated, then run, and authorized again if it says so. */
export function rpc<Request, Input, Response>({
  allows,
  parse,
  run,
  judgedAgain,
}: RpcSteps<Request, Input, Response>): Procedure<Request, Response> {
  return {
    allows,
    async answer(request, call) {
      const input = parse(request)
      try {
        return await run(input, call)
      } finally {
        if (judgedAgain) call.judge()
      }
    },
  }
}

/** A generated service. */
export type Service = Readonly<Record<string, AnyMethod>>

/** One procedure for each method of a service. */
export type Procedures<S extends Service> = {
  readonly [Name in keyof S]: S[Name] extends MethodDefinition<infer Request, infer Response>
    ? S[Name] extends { readonly responseStream: true }
      ? StreamProcedure<Request, Response>
      : Procedure<Request, Response>
    : never
}

type UnaryHandler = handleUnaryCall<Buffer, Buffer>
type UnaryCall = Parameters<UnaryHandler>[0]

/**
 * Adds a service to the server: the one place where grpc-js's callbacks become promises, bytes become
 * messages, and errors become statuses.
 *
 * grpc-js hands over bytes, so that a malformed message and a defect while encoding end like every other
 * error instead of with grpc-js's own `INTERNAL`, which nobody logs.
 */
export function addService<S extends Service>(
  server: Pick<Server, 'addService'>,
  service: S,
  procedures: Procedures<S>,
  edge: Edge,
): void {
  const methods: Record<string, AnyMethod> = {}
  const handlers: UntypedServiceImplementation = {}
  for (const [name, method] of Object.entries(service)) {
    methods[name] = { ...method, requestDeserialize: sameBytes, responseSerialize: sameBytes }
    handlers[name] = method.responseStream
      ? streamHandler(method, procedures[name] as StreamProcedure<unknown, unknown>, edge)
      : unaryHandler(answerBytes(method, procedures[name] as Procedure<unknown, unknown>, edge))
  }
  server.addService(methods, handlers)
}

/** The answer to a call; rejects with nothing but a {@link CallStatus}. */
type Answer = (call: UnaryCall) => Promise<Buffer>

function answerBytes(method: AnyMethod, procedure: Procedure<unknown, unknown>, edge: Edge): Answer {
  const name = nameOf(method)

  return async call => {
    const cancellation = new AbortController()
    const abort = () => cancellation.abort()
    call.on('cancelled', abort)
    let caller: Caller | undefined
    let request: unknown
    try {
      caller = edge.gate.callerOf(call.metadata)
      request = decode(method, call.request)
      const { allows, answer } = procedure
      const judge = createJudge(edge.gate, { metadata: call.metadata, method: name, allows, request })
      caller = judge()
      return method.responseSerialize(await answer(request, { caller, judge, signal: cancellation.signal }))
    } catch (error) {
      throw reportCall(error, edge, { method: method.path, caller, request })
    } finally {
      call.off('cancelled', abort)
    }
  }
}

function unaryHandler(answer: Answer): UnaryHandler {
  return (call, callback) => {
    answer(call).then(
      bytes => callback(null, bytes),
      (failure: CallStatus) => callback(failure),
    )
  }
}

function sameBytes(bytes: Buffer): Buffer {
  return bytes
}
