import { createServer, type RequestListener, type Server, type ServerOptions } from 'node:http'
import { createServer as createTlsServer } from 'node:https'
import type { Listener } from '../config/config.ts'
import type { HttpLimits } from './limits.ts'
import { keepNewestConnections } from './newest-connections.ts'
import type { Content } from './refusal.ts'

/** What a Node server needs to be put in front of strangers. */
export interface HardenedServerOptions {
  /** `proxy` and absence both mean plain HTTP here. */
  readonly tls?: Listener['tls']
  readonly limits: HttpLimits
  /** Put on every answer before anybody else can answer. */
  readonly headers: Readonly<Record<string, string>>
  readonly refusal: (status: number) => Content
}

/** Creates Node's HTTP/1.1 server with deadlines, size limits and the constant headers on every answer. */
export function createHardenedServer(listener: RequestListener, options: HardenedServerOptions): Server {
  const { limits, refusal } = options
  const headers = new Map(Object.entries(options.headers))
  const server = createNodeServer((request, response) => {
    response.setHeaders(headers)
    listener(request, response)
  }, options)

  // Node would answer an unknown `Expect` itself, without our headers.
  server.on('checkExpectation', (_request, response) => {
    const { type, text } = refusal(417)
    response.setHeaders(headers)
    response.writeHead(417, { 'content-type': type, connection: 'close' }).end(text)
  })
  keepNewestConnections(server, limits.connectionsMax)
  return server
}

function createNodeServer(listener: RequestListener, { tls, limits }: HardenedServerOptions): Server {
  const settings: ServerOptions = {
    headersTimeout: limits.headersTimeoutMs,
    requestTimeout: limits.requestTimeoutMs,
    keepAliveTimeout: limits.keepAliveTimeoutMs,
    connectionsCheckingInterval: limits.checkIntervalMs,
    maxHeaderSize: limits.headBytesMax,
    insecureHTTPParser: false,
    // Node would refuse a missing Host itself, without our headers; the listener checks it instead.
    requireHostHeader: false,
  }
  if (tls === undefined || tls === 'proxy') return createServer(settings, listener)
  const { cert, key } = tls
  return createTlsServer(
    {
      ...settings,
      cert,
      key: key.expose(),
      minVersion: 'TLSv1.2',
      handshakeTimeout: limits.headersTimeoutMs,
    },
    listener,
  )
}
