import { inspect } from 'node:util'
import { type Client, credentials, Metadata, type ServiceError, type status } from '@grpc/grpc-js'
import { type Callers, createCallers } from '../../src/api/callers.ts'
import type { JwtVerifier } from '../../src/api/jwt-verifier.ts'
import type { ListeningPorts } from '../../src/api/listening.ts'
import type { DenialRecorder } from '../../src/api/refusals.ts'
import { type ApiServer, createApiServer } from '../../src/api/server.ts'
import type { Broker } from '../../src/broker/broker.ts'
import type { Clock, Log, LogFields } from '../../src/broker/ports.ts'
import { hashCallerToken } from '../../src/config/caller-token.ts'
import type {
  AllowRule,
  CallerConfig,
  GrpcListener,
  Listener,
  SocketListener,
} from '../../src/config/config.ts'
import { BadRequest, ErrorInfo, Help, RetryInfo } from '../../src/gen/google/rpc/error_details.ts'
import { Status } from '../../src/gen/google/rpc/status.ts'
import { AdminServiceClient } from '../../src/gen/tokenbroker/v1/admin.ts'
import { TokenBrokerServiceClient } from '../../src/gen/tokenbroker/v1/token_broker.ts'
import { noteSink } from '../canaries.ts'
import { createFakeBroker } from './fake-broker.ts'

/** Any text is a token here: what counts is its hash. */
export const OPERATOR_TOKEN = 'operator-token'

/** A clock of the real time whose timers run when a test says so. */
interface ManualClock extends Clock {
  /** The timers that wait, by their milliseconds. */
  pending(): number[]
  /** Runs every timer that was set for so long. */
  fire(ms: number): void
}

function createManualClock(): ManualClock {
  const timers = new Map<() => void, number>()
  return {
    now: Date.now,
    monotonic: () => performance.now(),
    schedule(ms, callback) {
      const timer = () => callback()
      timers.set(timer, ms)
      return () => timers.delete(timer)
    },
    pending: () => [...timers.values()],
    fire(ms) {
      // Not those that are set meanwhile.
      for (const [timer, timerMs] of [...timers]) {
        if (timerMs !== ms) continue
        timers.delete(timer)
        timer()
      }
    },
  }
}

export interface LogLine {
  readonly level: keyof Log
  readonly message: string
  readonly fields: LogFields
}

export function createRecordingLog(): Log & { readonly lines: LogLine[] } {
  const lines: LogLine[] = []
  const at =
    (level: keyof Log) =>
    (message: string, fields: LogFields = {}) => {
      noteSink('the log', `${message} ${inspect(fields)}`)
      lines.push({ level, message, fields })
    }
  return { lines, debug: at('debug'), info: at('info'), warn: at('warn'), error: at('error') }
}

/** A caller whose token is its name. */
export function callerNamed(name: string, ...allow: AllowRule[]): CallerConfig {
  return { name, proof: { kind: 'static_token', tokens: [{ sha256: hashCallerToken(name) }] }, allow }
}

/** The same caller with tokens that end. */
export function expiring({ proof, ...caller }: CallerConfig, expiresAtMs: number): CallerConfig {
  if (proof.kind !== 'static_token') throw new Error('only static tokens expire by configuration')
  return { ...caller, proof: { ...proof, tokens: proof.tokens.map(token => ({ ...token, expiresAtMs })) } }
}

export interface RunningServer {
  readonly server: ApiServer
  /** Those who may call, to be replaced. */
  readonly callers: Callers
  readonly port: number
  readonly clock: ManualClock
  readonly log: ReturnType<typeof createRecordingLog>
  readonly tokens: TokenBrokerServiceClient
  readonly admin: AdminServiceClient
  /** The refused calls that were recorded. */
  readonly denials: Parameters<DenialRecorder['recordDenial']>[0][]
  stop(): void
}

/** Starts the edge on a free port of the loopback, with two clients. */
export async function startServer(
  options: {
    readonly broker?: Partial<Broker>
    readonly callers?: readonly CallerConfig[]
    readonly listener?: Partial<Listener> | Partial<SocketListener>
    readonly jwts?: JwtVerifier
    readonly ports?: Pick<ListeningPorts, 'readFile' | 'times'>
  } = {},
): Promise<RunningServer> {
  const clock = createManualClock()
  const log = createRecordingLog()
  const callers = createCallers({
    operatorTokenHash: hashCallerToken(OPERATOR_TOKEN),
    callers: options.callers ?? [],
    jwts: options.jwts,
    clock,
  })
  const denials: RunningServer['denials'] = []
  const server = createApiServer({
    broker: createFakeBroker(options.broker),
    callers,
    log,
    clock,
    denials: { recordDenial: denial => void denials.push(denial) },
    ...options.ports,
  })
  const listener = { host: '127.0.0.1', port: 0, ...options.listener } as GrpcListener
  const [port = 0] = await server.listen([listener])
  const tokens = new TokenBrokerServiceClient(`127.0.0.1:${port}`, credentials.createInsecure())
  const admin = new AdminServiceClient(`127.0.0.1:${port}`, credentials.createInsecure())
  return {
    server,
    callers,
    port,
    clock,
    log,
    tokens,
    admin,
    denials,
    stop() {
      tokens.close()
      admin.close()
      server.close()
    },
  }
}

/** The metadata of a call by who has this token. */
export function bearer(token: string): Metadata {
  const metadata = new Metadata()
  metadata.set('authorization', `Bearer ${token}`)
  return metadata
}

/** Everything that an error told its client. */
export interface Failure {
  readonly code: status
  readonly message: string
  readonly reason: string | undefined
  readonly domain: string | undefined
  readonly metadata: Record<string, string>
  readonly retryMs: number | undefined
  readonly violations: Record<string, string>
  readonly help: { readonly description: string; readonly url: string }[] | undefined
  /** All of it as it was on the wire. */
  readonly bytes: Buffer
}

/** A unary method of a client, as it is generated. */
type Unary<Request, Response> = (
  request: Request,
  metadata: Metadata,
  options: { deadline?: number },
  callback: (error: ServiceError | null, response: Response) => void,
) => { cancel(): void }

/** Calls a method and resolves with its answer. */
export function call<Request, Response>(
  client: Client,
  method: Unary<Request, Response>,
  request: Request,
  metadata = bearer(OPERATOR_TOKEN),
  deadline?: number,
): Promise<Response> {
  return new Promise((resolve, reject) => {
    method.call(client, request, metadata, { deadline }, (error, response) =>
      error === null ? resolve(response) : reject(error),
    )
  })
}

/** Awaits a call that must fail, and decodes why. */
export async function failureOf(outcome: Promise<unknown>): Promise<Failure> {
  const error = await outcome.then(
    () => undefined,
    (error: ServiceError) => error,
  )
  if (error === undefined) throw new Error('the call succeeded')
  return decodeFailure(error)
}

/** Decodes the details of an error. */
export function decodeFailure({
  code,
  details,
  metadata,
}: Pick<ServiceError, 'code' | 'details' | 'metadata'>): Failure {
  const bytes = (metadata.get('grpc-status-details-bin')[0] as Buffer | undefined) ?? Buffer.alloc(0)
  noteSink('the status of a call', details + bytes.toString('latin1'))
  const status = Status.decode(bytes)
  const detail = <T>(type: string, decode: (bytes: Buffer) => T): T | undefined => {
    const found = status.details.find(any => any.typeUrl === `type.googleapis.com/google.rpc.${type}`)
    return found && decode(found.value)
  }
  const info = detail('ErrorInfo', bytes => ErrorInfo.decode(bytes))
  const delay = detail('RetryInfo', bytes => RetryInfo.decode(bytes))?.retryDelay
  const violations = detail('BadRequest', bytes => BadRequest.decode(bytes))?.fieldViolations ?? []
  return {
    code,
    message: details,
    reason: info?.reason,
    domain: info?.domain,
    metadata: info?.metadata ?? {},
    retryMs: delay && delay.seconds * 1000 + delay.nanos / 1e6,
    violations: Object.fromEntries(violations.map(({ field, description }) => [field, description])),
    help: detail('Help', bytes => Help.decode(bytes))?.links,
    bytes,
  }
}
