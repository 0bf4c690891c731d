import { readFileSync } from 'node:fs'
import { resolve } from 'node:path'
import { type ChannelCredentials, Client, credentials, Metadata, type ServiceError } from '@grpc/grpc-js'
import { type ClientSettings, clientSettings } from '../config/client.ts'
import { readTokenFile } from '../config/operator-token.ts'
import { ConfigError } from '../config/problem.ts'
import { isLoopback } from '../loopback.ts'
import type { Secret } from '../secret.ts'
import { CliError, EXIT } from './exit.ts'
import type { Io } from './io.ts'
import { cliErrorFrom, lateError } from './rpc-error.ts'

/** For calls that the broker answers by itself; longer than the 10 s for which it lets a caller wait for a refresh. */
export const CALL_DEADLINE_MS = 15_000
/** For calls that wait for a provider: the broker's own requests end after 60 s, and the answer needs to be stored. */
export const PROVIDER_CALL_DEADLINE_MS = 75_000
/** Below the idle timeouts of common load balancers and NATs. */
const KEEPALIVE_MS = 60_000
const KEEPALIVE_TIMEOUT_MS = 20_000

/** A running broker. */
export interface BrokerClient {
  /**
   * Calls one method.
   *
   * @param deadlineMs default {@link CALL_DEADLINE_MS}
   * @throws CliError
   */
  call<Request, Response>(
    method: RpcMethod<Request, Response>,
    request: Request,
    deadlineMs?: number,
  ): Promise<Response>
  /**
   * Opens a stream, which ends when the signal aborts.
   *
   * @throws CliError when it ends otherwise; with `EXIT.unavailable` if opening it again may help
   */
  watch<Request, Response>(
    method: RpcMethod<Request, Response>,
    request: Request,
    options: WatchCallOptions,
  ): AsyncIterable<Response>
}

/** How a stream is opened. */
export interface WatchCallOptions {
  /** Ends it. */
  readonly signal: AbortSignal
  /** Called once, when the broker has said that it is open, which may be long before its first message. */
  readonly opened?: () => void
  /** Milliseconds for that; default {@link CALL_DEADLINE_MS}. An open stream has no deadline. */
  readonly deadlineMs?: number
}

/** A method of a generated service. */
export interface RpcMethod<Request, Response> {
  readonly path: string
  readonly requestSerialize: (request: Request) => Buffer
  readonly responseDeserialize: (bytes: Buffer) => Response
}

/**
 * Runs `body` with the broker that the environment names, as the operator or whoever's token file it names.
 *
 * @throws CliError with `EXIT.configuration` if a file that is named cannot be used
 */
export async function withBroker<T>(io: Io, body: (broker: BrokerClient) => Promise<T>): Promise<T> {
  const settings = clientSettings(io.env)
  const { tokenFile } = settings
  return withChannel(settings, tokenFile === undefined ? undefined : await readToken(tokenFile), body)
}

/** The same without saying who calls: for the health check, which needs no token. */
export function withAnonymousBroker<T>(io: Io, body: (broker: BrokerClient) => Promise<T>): Promise<T> {
  return withChannel(clientSettings(io.env), undefined, body)
}

async function withChannel<T>(
  settings: ClientSettings,
  token: Secret | undefined,
  body: (broker: BrokerClient) => Promise<T>,
): Promise<T> {
  const encrypted = needsTls(settings)
  const client = new Client(
    settings.address,
    encrypted ? tlsCredentials(settings) : credentials.createInsecure(),
    {
      // What is not encrypted stays on this machine, whatever http_proxy says.
      'grpc.enable_http_proxy': encrypted ? 1 : 0,
      // Finds out that a broker is gone which did not say so, while a stream is open.
      'grpc.keepalive_time_ms': KEEPALIVE_MS,
      'grpc.keepalive_timeout_ms': KEEPALIVE_TIMEOUT_MS,
    },
  )
  try {
    return await body({
      call: (...args) => call(client, settings.address, token, ...args),
      watch: (...args) => watch(client, settings.address, token, ...args),
    })
  } finally {
    client.close()
  }
}

function call<Request, Response>(
  client: Client,
  address: string,
  token: Secret | undefined,
  method: RpcMethod<Request, Response>,
  request: Request,
  deadlineMs = CALL_DEADLINE_MS,
): Promise<Response> {
  const metadata = metadataFor(token)
  return new Promise((fulfil, reject) => {
    client.makeUnaryRequest(
      method.path,
      method.requestSerialize,
      method.responseDeserialize,
      request,
      metadata,
      { deadline: Date.now() + deadlineMs },
      (error, response) => {
        if (response !== undefined && error === null) fulfil(response)
        else reject(error === null ? new Error('no answer') : cliErrorFrom(error, { address, deadlineMs }))
      },
    )
  })
}

async function* watch<Request, Response>(
  client: Client,
  address: string,
  token: Secret | undefined,
  method: RpcMethod<Request, Response>,
  request: Request,
  { signal, opened, deadlineMs = CALL_DEADLINE_MS }: WatchCallOptions,
): AsyncGenerator<Response, void> {
  if (signal.aborted) return
  const stream = client.makeServerStreamRequest(
    method.path,
    method.requestSerialize,
    method.responseDeserialize,
    request,
    metadataFor(token),
  )
  const cancel = () => stream.cancel()
  signal.addEventListener('abort', cancel)
  let isLate = false
  const timer = setTimeout(() => {
    isLate = true
    cancel()
  }, deadlineMs)
  stream.once('metadata', () => {
    clearTimeout(timer)
    opened?.()
  })
  try {
    yield* stream as AsyncIterable<Response>
  } catch (error) {
    if (isLate) throw lateError({ address, deadlineMs }, error)
    if (!signal.aborted) throw cliErrorFrom(error as ServiceError, { address, deadlineMs })
  } finally {
    clearTimeout(timer)
    signal.removeEventListener('abort', cancel)
    cancel()
  }
}

function metadataFor(token: Secret | undefined): Metadata {
  const metadata = new Metadata()
  if (token !== undefined) metadata.set('authorization', `Bearer ${token.expose()}`)
  return metadata
}

/** The token never crosses a network in clear: without TLS only this machine is spoken to. */
export function needsTls(settings: Pick<ClientSettings, 'address' | 'caFile' | 'certFile'>): boolean {
  return settings.caFile !== undefined || settings.certFile !== undefined || !isLocal(settings.address)
}

function isLocal(address: string): boolean {
  return address.startsWith('unix:') || isLoopback(address.replace(/:\d+$/, ''))
}

function tlsCredentials(settings: ClientSettings): ChannelCredentials {
  const ca = readPem(settings.caFile, 'TOKEN_BROKER_CA_FILE')
  const key = readPem(settings.keyFile, 'TOKEN_BROKER_KEY_FILE')
  const certificate = readPem(settings.certFile, 'TOKEN_BROKER_CERT_FILE')
  try {
    return credentials.createSsl(ca, key, certificate)
  } catch (cause) {
    const files = [settings.caFile, settings.keyFile, settings.certFile].filter(file => file !== undefined)
    throw new CliError(EXIT.configuration, `no TLS with ${files.join(', ')}: ${(cause as Error).message}`, {
      cause,
    })
  }
}

async function readToken(path: string): Promise<Secret> {
  try {
    return await readTokenFile(resolve(path))
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error
    throw new CliError(EXIT.configuration, error.message, {
      help: [
        'run this in the folder where the broker runs, or name the token file with TOKEN_BROKER_TOKEN_FILE; ' +
          'a broker with operator_token: off has no token of its own, so take that of a caller',
      ],
      cause: error,
    })
  }
}

/** @returns null if no file is named */
function readPem(path: string | undefined, variable: string): Buffer | null {
  try {
    return path === undefined ? null : readFileSync(path)
  } catch (cause) {
    const { code } = cause as NodeJS.ErrnoException
    throw new CliError(EXIT.configuration, `cannot read ${path}, which ${variable} names (${code})`, {
      cause,
    })
  }
}
