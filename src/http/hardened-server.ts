import { createServer, type RequestListener, type Server, type ServerOptions } from 'node:http'
import { createServer as createTlsServer, type Server as TlsServer } from 'node:https'
import type { SecureContextOptions } from 'node:tls'
import type { Log } from '../broker/ports.ts'
import type { Listener, TlsMaterial } from '../config/config.ts'
import type { ReadFile } from '../config/files.ts'
import { watchTls } from '../config/tls-watch.ts'
import type { HttpLimits } from './limits.ts'
import { keepNewestConnections } from './newest-connections.ts'
import type { Content } from './refusal.ts'

/** What a Node server needs to be put in front of strangers. */
export interface HardenedServerOptions {
  /** `proxy` and absence both mean plain HTTP here. */
  readonly tls?: Listener['tls']
  /** Reads certificates that have changed. Absent = they are not read again. */
  readonly readFile?: ReadFile
  readonly log: Log
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

function createNodeServer(listener: RequestListener, options: HardenedServerOptions): Server {
  const { tls, limits } = options
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
  const handshakeTimeout = limits.headersTimeoutMs
  const server = createTlsServer({ ...settings, ...contextOptions(tls), handshakeTimeout }, listener)
  followFiles(server, tls, options)
  return server
}

function contextOptions({ cert, key }: TlsMaterial): SecureContextOptions {
  return { cert, key: key.expose(), minVersion: 'TLSv1.2' }
}

/** New connections are shown the certificate that the files hold by then. */
function followFiles(server: TlsServer, tls: TlsMaterial, { readFile, log }: HardenedServerOptions): void {
  const { files } = tls
  if (files === undefined || readFile === undefined) return
  const apply = (material: TlsMaterial) => server.setSecureContext(contextOptions(material))
  server.once('listening', () => server.once('close', watchTls(files, tls, apply, { readFile, log })))
}
