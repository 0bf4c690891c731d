import type { AddressInfo } from 'node:net'
import formbody from '@fastify/formbody'
import fastify, { type FastifyError, type FastifyInstance, type FastifyRequest } from 'fastify'
import { BrokerError } from '../broker/errors.ts'
import type { Log } from '../broker/ports.ts'
import type { Listener } from '../config/config.ts'
import type { ReadFile } from '../config/files.ts'
import { createClientErrorHandler } from './client-error.ts'
import { createHardenedServer } from './hardened-server.ts'
import type { HttpLimits } from './limits.ts'
import { type Content, Refusal } from './refusal.ts'
import { securityHeaders } from './security-headers.ts'

/** A running edge. */
export interface HttpServer {
  /**
   * Starts to listen.
   *
   * @param address `port` 0 takes a free one
   * @returns the port that was taken
   * @throws the system's error, with its `code`, if the address cannot be had
   */
  listen(address: { readonly host: string; readonly port: number }): Promise<{ readonly port: number }>
  /** Takes no new connections, closes idle ones, and resolves once the requests in flight are answered. */
  close(): Promise<void>
}

/** What the two listeners differ in. */
export interface ListenerOptions {
  readonly tls?: Listener['tls']
  /** Reads certificates that have changed. Absent = they are not read again. */
  readonly readFile?: ReadFile
  /** Whether clients reach it by https, be it ended here or by a proxy. */
  readonly https: boolean
  /** Addresses or CIDR ranges whose `X-Forwarded-For` is believed; empty = nobody's. */
  readonly trustedProxies: readonly string[]
  readonly limits: HttpLimits
  readonly log: Log
  /** What is answered where something is refused; never tells what was asked for. */
  readonly refusal: (status: number) => Content
  /** The methods that a path knows; empty = there is no such path. */
  readonly allowedMethods: (path: string) => readonly string[]
}

/** Creates a Fastify application without routes that is safe to expose. */
export function createListener(options: ListenerOptions): FastifyInstance {
  const { limits, refusal } = options
  const headers = securityHeaders(options.https)
  const app: FastifyInstance = fastify({
    serverFactory: handler => createHardenedServer(handler, { ...options, headers }),
    clientErrorHandler: createClientErrorHandler(headers, refusal),
    // Targets that the router cannot read never reach the error handler below.
    frameworkErrors: (error, _request, reply) => {
      const { type, text } = refusal(error.statusCode ?? 400)
      reply.raw.writeHead(error.statusCode ?? 400, { 'content-type': type }).end(text)
    },
    bodyLimit: limits.bodyBytesMax,
    // Fastify's own log lines name the URL, which holds link tokens, codes and states.
    logger: false,
    trustProxy: options.trustedProxies.length > 0 ? [...options.trustedProxies] : false,
    exposeHeadRoutes: false,
    forceCloseConnections: 'idle',
    // Parameters are decoded once, by whoever needs them in their order.
    routerOptions: { querystringParser: () => ({}), maxParamLength: limits.urlBytesMax },
  })
  app.removeAllContentTypeParsers()
  app.register(formbody, { bodyLimit: limits.bodyBytesMax })
  app.addHook('onRequest', async request => checkRequest(request, options))
  // The hook above refuses first. Should it ever let a path pass that has no route, Fastify would repeat the URL.
  app.setNotFoundHandler(() => {
    throw new Refusal(404)
  })
  app.setErrorHandler((error: FastifyError, request, reply) => {
    const { status, type, text, headers } = refuse(error, request, options)
    reply.code(status).headers(headers).type(type).send(text)
  })
  app.addHook('onResponse', async (request, reply) => {
    const fields = { method: request.method, route: routeOf(request), status: reply.statusCode }
    options.log.debug('Request answered', { ...fields, durationMs: Math.round(reply.elapsedTime) })
  })
  return app
}

/** The part of a request target before its query, as it was sent. */
export function pathOf(request: FastifyRequest): string {
  return request.raw.url?.split('?', 1)[0] ?? ''
}

/** Starts to listen and stops, for an application that is complete. */
export function serverOf(app: FastifyInstance): HttpServer {
  return {
    async listen({ host, port }) {
      await app.listen({ host, port })
      return { port: (app.server.address() as AddressInfo).port }
    },
    close: () => app.close(),
  }
}

function checkRequest(request: FastifyRequest, { limits, allowedMethods }: ListenerOptions): void {
  // RFC 9112 section 3.2: a request of HTTP/1.1 without Host is malformed.
  if (request.raw.httpVersion === '1.1' && request.headers.host === undefined) throw new Refusal(400)
  if (Buffer.byteLength(request.raw.url ?? '') > limits.urlBytesMax) throw new Refusal(414)
  const allowed = allowedMethods(pathOf(request))
  if (allowed.length === 0) throw new Refusal(404)
  if (!allowed.includes(request.method)) throw new Refusal(405, { allow: allowed.join(', ') })
}

interface RefusedAnswer extends Content {
  readonly status: number
  readonly headers: Readonly<Record<string, string>>
}

function refuse(error: Error, request: FastifyRequest, { log, refusal }: ListenerOptions): RefusedAnswer {
  const { status, headers } = diagnose(error)
  if (status >= 500)
    log.error('Request failed', { method: request.method, route: routeOf(request), error: error.stack })
  return { status, headers, ...refusal(status) }
}

/** Whose fault an error is, as a status: errors without one are ours. */
function diagnose(error: Error): Pick<RefusedAnswer, 'status' | 'headers'> {
  if (error instanceof Refusal) return { status: error.statusCode, headers: error.headers }
  if (error instanceof BrokerError) return diagnoseBrokerError(error)
  const status = 'statusCode' in error && typeof error.statusCode === 'number' ? error.statusCode : 500
  return { status, headers: {} }
}

function diagnoseBrokerError({ reason, details }: BrokerError): Pick<RefusedAnswer, 'status' | 'headers'> {
  if (reason !== 'BROKER_UNAVAILABLE') return { status: 500, headers: {} }
  const seconds = Math.ceil((details.retryAfterMs ?? 0) / 1000)
  return { status: 503, headers: seconds > 0 ? { 'retry-after': String(seconds) } : {} }
}

/** The pattern of the route, which holds no token, instead of the URL. */
function routeOf(request: FastifyRequest): string {
  return request.routeOptions.url ?? 'none'
}
