import { randomBytes } from 'node:crypto'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import {
  type handleServerStreamingCall,
  type handleUnaryCall,
  Metadata,
  Server,
  ServerCredentials,
  type ServiceError,
  type StatusObject,
  status,
  type UntypedServiceImplementation,
} from '@grpc/grpc-js'
import { HealthImplementation } from 'grpc-health-check'
import { createCallerToken } from '../../src/config/caller-token.ts'
import { BadRequest, ErrorInfo, Help, RetryInfo } from '../../src/gen/google/rpc/error_details.ts'
import { Status } from '../../src/gen/google/rpc/status.ts'
import { type AdminServiceServer, AdminServiceService } from '../../src/gen/tokenbroker/v1/admin.ts'
import {
  type TokenBrokerServiceServer,
  TokenBrokerServiceService,
} from '../../src/gen/tokenbroker/v1/token_broker.ts'
import { tempFolder } from '../temp-folder.ts'

/** The request and the response of each unary method, by the name of the generated code. */
type Methods = Pick<
  TokenBrokerServiceServer & AdminServiceServer,
  | 'getAccessToken'
  | 'getStatus'
  | 'refresh'
  | 'disconnect'
  | 'createConsentLink'
  | 'getConsent'
  | 'importConnection'
  | 'listConnections'
  | 'listProviders'
  | 'listAuditRecords'
  | 'findReleases'
  | 'getKeys'
  | 'rotateKeys'
  | 'rewrapKeys'
  | 'rebindConnections'
  | 'getRestore'
>
type Streams = Pick<TokenBrokerServiceServer & AdminServiceServer, 'watchAccessTokens' | 'watchConnections'>
/** What the broker answers; throw {@link refusal} to fail. Methods that are left out are UNIMPLEMENTED. */
export type Answers = {
  [Name in keyof Methods]?: Methods[Name] extends handleUnaryCall<infer Request, infer Response>
    ? (request: Request) => Response | Promise<Response>
    : never
} & {
  [Name in keyof Streams]?: Streams[Name] extends handleServerStreamingCall<infer Request, infer Response>
    ? /** What it throws itself is a refusal; what its messages throw ends an open stream. */
      (request: Request) => AsyncIterable<Response>
    : never
}

type Service = Readonly<Record<string, { readonly responseStream: boolean }>>

/** A gRPC server that answers as a test says, and knows its callers by one token. */
export interface FakeBroker {
  readonly address: string
  /** Holds the token that is accepted. */
  readonly tokenFile: string
  readonly token: string
  /** The names of the methods called, in order. */
  readonly calls: string[]
  close(): void
}

export async function startFakeBroker(
  answers: Answers,
  credentials: ServerCredentials = ServerCredentials.createInsecure(),
): Promise<FakeBroker> {
  const { file, token } = writeToken()
  const server = new Server()
  const calls: string[] = []
  const implement = (service: Service): UntypedServiceImplementation =>
    Object.fromEntries(
      Object.entries(service).map(([name, { responseStream }]) => {
        const create = responseStream ? streamHandler : handler
        return [name, create(name, answers, token, calls)]
      }),
    )
  server.addService(TokenBrokerServiceService, implement(TokenBrokerServiceService))
  server.addService(AdminServiceService, implement(AdminServiceService))
  new HealthImplementation({ '': 'SERVING', drained: 'NOT_SERVING' }).addToServer(server)
  const port = await new Promise<number>((resolve, reject) => {
    server.bindAsync('127.0.0.1:0', credentials, (error, port) => (error ? reject(error) : resolve(port)))
  })
  return { address: `127.0.0.1:${port}`, tokenFile: file, token, calls, close: () => server.forceShutdown() }
}

/** A token file as the broker leaves it in its data directory. */
export function writeToken(): { readonly file: string; readonly token: string } {
  const file = join(tempFolder('cli'), 'operator.token')
  const token = createCallerToken(randomBytes).token.expose()
  writeFileSync(file, `${token}\n`, { mode: 0o600 })
  return { file, token }
}

function handler(
  name: string,
  answers: Answers,
  token: string,
  calls: string[],
): handleUnaryCall<unknown, unknown> {
  const answer = answers[name as keyof Answers] as ((request: unknown) => unknown) | undefined
  return async (call, callback) => {
    calls.push(name)
    try {
      admit(call.metadata, token)
      if (answer === undefined) throw { code: status.UNIMPLEMENTED, details: `${name} is not there` }
      callback(null, await answer(call.request))
    } catch (error) {
      callback(error as ServiceError)
    }
  }
}

function streamHandler(
  name: string,
  answers: Answers,
  token: string,
  calls: string[],
): handleServerStreamingCall<unknown, unknown> {
  const answer = answers[name as keyof Answers] as ((request: unknown) => AsyncIterable<unknown>) | undefined
  return async call => {
    calls.push(name)
    try {
      admit(call.metadata, token)
      if (answer === undefined) throw { code: status.UNIMPLEMENTED, details: `${name} is not there` }
      const messages = answer(call.request)
      // As the broker does once it has not refused.
      call.sendMetadata(new Metadata())
      for await (const message of messages) call.write(message)
      call.end()
    } catch (error) {
      call.emit('error', error)
    }
  }
}

function admit(metadata: Metadata, token: string): void {
  if (metadata.get('authorization')[0] === `Bearer ${token}`) return
  throw refusal(status.UNAUTHENTICATED, 'CALLER_UNAUTHENTICATED', 'this token is not known')
}

/** What an error carries beside its sentence. */
export interface RefusalDetails {
  readonly help?: string
  readonly retryAfterMs?: number
  readonly violation?: { readonly field: string; readonly description: string }
}

/** An error as the broker sends it: `google.rpc.Status` in `grpc-status-details-bin`. */
export function refusal(
  code: status,
  reason: string,
  message: string,
  { help, retryAfterMs, violation }: RefusalDetails = {},
): Partial<StatusObject> {
  const details = [
    any('ErrorInfo', ErrorInfo.encode({ reason, domain: 'tokenbroker', metadata: {} }).finish()),
  ]
  if (help !== undefined) {
    details.push(any('Help', Help.encode({ links: [{ description: help, url: '' }] }).finish()))
  }
  if (retryAfterMs !== undefined) {
    const retryDelay = {
      seconds: Math.floor(retryAfterMs / 1_000),
      nanos: (retryAfterMs % 1_000) * 1_000_000,
    }
    details.push(any('RetryInfo', RetryInfo.encode({ retryDelay }).finish()))
  }
  if (violation !== undefined) {
    const fieldViolations = [{ ...violation, reason: '', localizedMessage: undefined }]
    details.push(any('BadRequest', BadRequest.encode({ fieldViolations }).finish()))
  }
  const metadata = new Metadata()
  metadata.set(
    'grpc-status-details-bin',
    Buffer.from(Status.encode(Status.fromPartial({ code, message, details })).finish()),
  )
  return { code, details: message, metadata }
}

function any(type: string, value: Uint8Array) {
  return { typeUrl: `type.googleapis.com/google.rpc.${type}`, value: Buffer.from(value) }
}
