import { type AddressInfo, createServer, type Server, type Socket } from 'node:net'
import { createServer as createTlsServer } from 'node:tls'
import type { Listener } from '../config/config.ts'
import { CONNECTIONS_MAX, TLS_HANDSHAKE_MS_MAX } from './limits.ts'

/** One address that is listened on. */
export interface OpenListener {
  readonly port: number
  /** Takes no new connections; resolves once the open ones have ended. */
  stop(): Promise<void>
  /** Cuts every connection. */
  destroy(): void
}

/** An address cannot be listened on; the message says why and what to do. */
export class ListenError extends Error {
  /** `host:port`. */
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

/**
 * Listens on one address and hands over each connection, after its TLS handshake if there is one.
 *
 * grpc-js's own listeners limit neither the number of connections nor the time of a handshake, and cannot be
 * cut while channelz is off.
 *
 * @throws ListenError
 */
export async function openListener(
  listener: Listener,
  serve: (connection: Socket) => void,
): Promise<OpenListener> {
  const sockets = new Set<Socket>()
  const server = createSocketServer(listener, socket => {
    // A TLS handshake may end after the listener has stopped.
    if (!server.listening) return void socket.destroy()
    // Resets are the peer's business; the HTTP/2 session notices the end by itself.
    socket.on('error', () => {})
    sockets.add(socket)
    socket.once('close', () => sockets.delete(socket))
    serve(socket)
  })
  server.maxConnections = CONNECTIONS_MAX
  const port = await listen(server, listener)
  return {
    port,
    stop: () => new Promise(resolve => server.close(() => resolve())),
    destroy: () => {
      for (const socket of sockets) socket.destroy()
    },
  }
}

function createSocketServer(listener: Listener, accept: (socket: Socket) => void): Server {
  const { tls } = listener
  if (tls === undefined || tls === 'proxy') return createServer({ noDelay: true }, accept)
  try {
    return createTlsServer(
      {
        cert: tls.cert,
        key: tls.key.expose(),
        minVersion: 'TLSv1.2',
        // RFC 9113 section 3.3. Node's HTTP/2 sends those away who negotiate nothing.
        ALPNProtocols: ['h2'],
        handshakeTimeout: TLS_HANDSHAKE_MS_MAX,
        noDelay: true,
      },
      accept,
    )
  } catch (cause) {
    throw listenError(listener, cause)
  }
}

function listen(server: Server, listener: Listener): Promise<number> {
  return new Promise((resolve, reject) => {
    // Stays for good: an accept that fails later, for want of file descriptors, must not end the process.
    server.on('error', cause => reject(listenError(listener, cause)))
    server.listen({ host: listener.host, port: listener.port }, () =>
      resolve((server.address() as AddressInfo).port),
    )
  })
}

const SENTENCES: Readonly<Record<string, string>> = {
  EADDRINUSE: 'another process has this port; stop it, or set another address',
  EACCES: 'this port needs more rights; take one above 1023',
  EADDRNOTAVAIL: 'this machine does not have this address; take one that it has',
  ENOTFOUND: 'this name is unknown; take an address of this machine',
}

function listenError({ host, port, tls }: Listener, cause: unknown): ListenError {
  const address = `${host.includes(':') ? `[${host}]` : host}:${port}`
  const code = cause instanceof Error && 'code' in cause ? String(cause.code) : ''
  const otherwise =
    code.startsWith('ERR_') && typeof tls === 'object'
      ? 'its TLS certificate and key are not a matching pair of PEM texts'
      : `the system says ${code}`
  const message = `cannot listen for gRPC on ${address}: ${SENTENCES[code] ?? otherwise} (listen.grpc)`
  return new ListenError(address, code, message, { cause })
}
