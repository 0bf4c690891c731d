import { type AddressInfo, createServer, type Server, type Socket } from 'node:net'
import type { Log } from '../broker/ports.ts'
import type { GrpcListener } from '../config/config.ts'
import type { ReadFile } from '../config/files.ts'
import { watchTls } from '../config/tls-watch.ts'
import type { WatchTimes } from '../config/watch-files.ts'
import { CONNECTIONS_MAX } from './limits.ts'
import type { NewestConnections } from './newest-connections.ts'
import { guardSocket, prepareSocket, SocketFileError } from './socket-file.ts'
import { createTlsServer } from './tls-server.ts'

/** One address that is listened on. */
export interface OpenListener {
  /** 0 for a Unix socket. */
  readonly port: number
  /** Takes no new connections; resolves once the open ones have ended. */
  stop(): Promise<void>
  /** Cuts every connection. */
  destroy(): void
}

/** An address cannot be listened on; the message says why and what to do. */
export class ListenError extends Error {
  /** `host:port`, or `unix:` and a path. */
  readonly address: string
  /** The system's code, for example `EADDRINUSE`; empty if it has none. */
  readonly code: string

  constructor(address: string, code: string, message: string, options?: ErrorOptions) {
    super(message, options)
    this.name = 'ListenError'
    this.address = address
    this.code = code
  }
}

/** What listeners need beside their configuration. */
export interface ListeningPorts {
  readonly log: Log
  /** Absent = certificates are not read again. */
  readonly readFile?: ReadFile
  /** How often their files are looked at. */
  readonly times?: WatchTimes
}

interface ListenerPorts extends ListeningPorts {
  readonly connections: Pick<NewestConnections, 'bound'>
}

/**
 * Listens on one address and hands over each connection, after its TLS handshake if there is one.
 *
 * grpc-js's own listeners limit neither the number of connections nor the time of a handshake, cannot be cut
 * while channelz is off, and read a client's certificate anew for each call.
 *
 * @throws ListenError
 */
export async function openListener(
  listener: GrpcListener,
  serve: (connection: Socket) => void,
  ports: ListenerPorts,
): Promise<OpenListener> {
  const sockets = new Set<Socket>()
  let accepted = 0
  const { server, watch } = createSocketServer(listener, accept, ports)
  // No stranger comes by a socket file.
  if ('socket' in listener) server.maxConnections = CONNECTIONS_MAX
  else ports.connections.bound(server)
  const port = await listen(server, listener).catch(error => {
    server.close()
    throw error
  })
  const unwatch = watch()

  function accept(socket: Socket): void {
    // A TLS handshake may end after the listener has stopped.
    if (!server.listening) return void socket.destroy()
    // Resets are the peer's business; the HTTP/2 session notices the end by itself.
    socket.on('error', () => {})
    sockets.add(socket)
    socket.once('close', () => sockets.delete(socket))
    if ('socket' in listener) nameEndpoint(socket, ++accepted)
    serve(socket)
  }

  return {
    port,
    stop: () => {
      unwatch()
      return new Promise(resolve => server.close(() => resolve()))
    },
    destroy: () => {
      for (const socket of sockets) socket.destroy()
    },
  }
}

/** Connections of a socket file have no endpoints to be told apart by, so each gets a port that there is not. */
function nameEndpoint(socket: Socket, count: number): void {
  Object.defineProperty(socket, 'remotePort', { value: count })
}

interface SocketServer {
  readonly server: Server
  /** Begins to look after the certificates; the function that it answers ends that. */
  readonly watch: () => () => void
}

function createSocketServer(
  listener: GrpcListener,
  accept: (socket: Socket) => void,
  { log, readFile, times }: ListeningPorts,
): SocketServer {
  const tls = 'socket' in listener ? undefined : listener.tls
  if (tls === undefined || tls === 'proxy') {
    return { server: createServer({ noDelay: true }, accept), watch: () => () => {} }
  }
  try {
    const { server, replace } = createTlsServer(tls, accept, log)
    const { files } = tls
    if (files === undefined || readFile === undefined) return { server, watch: () => () => {} }
    return { server, watch: () => watchTls(files, tls, replace, { readFile, log, times }) }
  } catch (cause) {
    throw listenError(listener, cause)
  }
}

async function listen(server: Server, listener: GrpcListener): Promise<number> {
  const { promise, resolve, reject } = Promise.withResolvers<void>()
  // Stays for good: an accept that fails later, for want of file descriptors, must not end the process.
  server.on('error', cause => reject(listenError(listener, cause)))
  try {
    if ('socket' in listener) {
      await prepareSocket(listener.socket)
      server.listen({ path: listener.socket }, resolve)
      await promise
      await guardSocket(listener.socket)
      return 0
    }
    server.listen({ host: listener.host, port: listener.port }, resolve)
    await promise
    return (server.address() as AddressInfo).port
  } catch (cause) {
    throw cause instanceof ListenError ? cause : listenError(listener, cause)
  }
}

const SENTENCES: Readonly<Record<string, string>> = {
  EADDRINUSE: 'another process has this port; stop it, or set another address',
  EACCES: 'this port needs more rights; take one above 1023',
  EADDRNOTAVAIL: 'this machine does not have this address; take one that it has',
  ENOTFOUND: 'this name is unknown; take an address of this machine',
}

function listenError(listener: GrpcListener, cause: unknown): ListenError {
  const address = addressOf(listener)
  const code = cause instanceof Error && 'code' in cause ? String(cause.code) : ''
  const message = `cannot listen for gRPC on ${address}: ${whyNot(listener, cause, code)} (listen.grpc)`
  return new ListenError(address, code, message, { cause })
}

function whyNot(listener: GrpcListener, cause: unknown, code: string): string {
  if (cause instanceof SocketFileError) return cause.message
  if ('socket' in listener && code === 'EACCES') return 'this user may not make it there'
  const isTls = 'tls' in listener && typeof listener.tls === 'object'
  const otherwise =
    code.startsWith('ERR_') && isTls
      ? 'its TLS certificate and key are not a matching pair of PEM texts'
      : `the system says ${code}`
  return SENTENCES[code] ?? otherwise
}

/** Where a listener is, for people: `host:port`, or `unix:` and a path. */
function addressOf(listener: GrpcListener): string {
  if ('socket' in listener) return `unix:${listener.socket}`
  const { host, port } = listener
  return `${host.includes(':') ? `[${host}]` : host}:${port}`
}
